from pathlib import Path

import pytest

from opensmtpd.capture import programs, table_conf
from opensmtpd.capture.writer import CaptureSettings
from opensmtpd.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(programs, "place", lambda name: f"/libexec/{name}")
    return tmp_path / "record.conf"


def test_all_keys(path: Path) -> None:
    path.write_text(
        "# which table\n\n  table  sqlite:/etc/mail/sqlite.conf \ncapture /var/x\nsize 1M\n"
        "files 2\naddresses no\n"
    )
    assert table_conf.read(str(path)) == (
        "/libexec/table-sqlite",
        "/etc/mail/sqlite.conf",
        CaptureSettings("/var/x", 1 << 20, 2, addresses=False),
    )


def test_what_is_needed(path: Path) -> None:
    path.write_text("table a-b:/x y\ncapture /var/x\n")
    wanted = CaptureSettings("/var/x", 64 << 20, 4)
    assert table_conf.read(str(path)) == ("/libexec/table-a-b", "/x y", wanted)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no table; say 'table sqlite:/etc/mail/sqlite.conf'"),
        ("table x:/y", "no capture; say 'capture /var/log/smtpd/users.capture'"),
        ("table x", ":1: table: 'x' is not TYPE:/path"),
        ("table x:y", ":1: table: 'x:y' is not TYPE:/path"),
        ("table ../x:/y", ":1: table: '../x:/y' is not TYPE:/path"),
        ("\ncapture y", ":2: capture: 'y' does not begin with /"),
        ("size 1", ":1: size: '1' is less than 64K"),
        ("files 0", ":1: files: '0' is no number from 1 to 100"),
        ("addresses maybe", ":1: addresses: 'maybe' is neither yes nor no"),
        ("captur /x", ":1: there is no key 'captur'; did you mean capture?"),
    ],
)
def test_mistakes(path: Path, text: str, fault: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        table_conf.read(str(path))
    assert str(caught.value).removeprefix(str(path)).removeprefix(": ") == fault
