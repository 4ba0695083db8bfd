"""The one entrance to the sandboxes of the systems."""

import errno
import os
import resource
import sys
from pathlib import Path

import pytest

from opensmtpd._runtime import sandbox
from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs

NEEDS = Needs(network=True)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Keep the limits of this process; return those that it would get."""
    found: list[object] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: found.append(limit))
    return found


def given_to(monkeypatch: pytest.MonkeyPatch, end: object) -> list[object]:
    """Have the system's part return ``end``, or raise it; return the needs that it is given."""
    given: list[object] = []

    def confine(needs: object) -> object:
        given.append(needs)
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(sandbox, "_system", confine)
    return given


def test_the_system_confines(monkeypatch: pytest.MonkeyPatch, limits: list[object]) -> None:
    given = given_to(monkeypatch, [])
    sandbox.confine(NEEDS)
    sandbox.confine(None)
    assert given == [NEEDS, None]
    assert limits == [(resource.RLIMIT_CORE, (0, 0))] * 2


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (["no Landlock", "no libseccomp.so.2"], '"no Landlock; no libseccomp.so.2"'),
        (LocalError("no pledge"), '"no pledge"'),
        (ValueError("bug"), '"no sandbox: ValueError: bug"'),
    ],
)
def test_what_is_missing_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], end: object, reason: str
) -> None:
    given_to(monkeypatch, end)
    sandbox.confine(NEEDS)
    assert capfd.readouterr().err == f"sandbox-missing reason={reason}\n"


def test_another_system(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sandbox, "_system", sandbox._unknown)
    sandbox.confine(NEEDS)
    assert "sandbox-missing" in capfd.readouterr().err


def test_a_second_time_where_no_limit_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """pledge(2) wants "proc" for that."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no")

    monkeypatch.setattr(resource, "setrlimit", refused)
    given = given_to(monkeypatch, ["x"])
    assert sandbox.restrict(NEEDS) == ["x"]
    assert given == [NEEDS]


def test_the_files_that_another_process_opens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text("")
    link, folder = str(tmp_path / "link"), str(tmp_path / "folder")
    os.symlink("/etc/passwd", link)
    os.symlink("/etc", folder)
    own = str(tmp_path / "own")
    needs = Needs(reads=("/etc/passwd", own, "/dev", "/dev/null", link, folder))
    monkeypatch.setattr(sys, "platform", "linux")
    assert sandbox.reopened(needs) == ["/etc/passwd", link]
    assert sandbox.reopened(Needs(reads=("/etc/passwd", "/etc"))) == []
    assert set(sandbox.with_folders(needs).reads) >= {"/etc", str(tmp_path)}
    monkeypatch.setattr(sys, "platform", "openbsd7")
    assert sandbox.reopened(needs) == []
    assert sandbox.with_folders(needs) == needs
