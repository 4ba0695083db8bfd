"""Programs that are not there, or are none."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.programs import presence
from opensmtpd_cli.system import libexec

PLACE = ("/etc/smtpd.conf", 2)


@pytest.mark.parametrize(
    ("name", "fault", "remedy"),
    [
        (
            "filter-dkimsign",
            "there is no program filter-dkimsign in /libexec",
            "apt install opensmtpd-filter-dkimsign-py, or"
            " opensmtpd-plugins install filter-dkimsign",
        ),
        (
            "filter-dkimsing",
            "there is no program filter-dkimsing in /libexec; did you mean filter-dkimsign?",
            "correct its name, or install it",
        ),
        (
            "filter-nothing-like-it",
            "there is no program filter-nothing-like-it in /libexec",
            "correct its name, or install it",
        ),
        (
            "/opt/filter-mine",
            "there is no program /opt/filter-mine",
            "correct its name, or install it",
        ),
    ],
)
def test_a_program_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, name: str, fault: str, remedy: str
) -> None:
    monkeypatch.setattr(libexec, "LIBEXEC", ("/libexec",))
    found = presence.missing("filter", PLACE, 'filter "x"', name)
    assert (found.code, found.fault) == ("filter-program-missing", f'filter "x": {fault}')
    assert found.remedy == remedy


def test_what_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "filter-x"
    path.touch(0o644)
    assert not presence.runs(str(path))
    assert not presence.runs(str(tmp_path))
    path.chmod(0o755)
    assert presence.runs(str(path))
    found = presence.not_executable("table", PLACE, "table x", str(path))
    assert (found.code, found.remedy) == ("table-not-executable", f"chmod a+x {path}")
