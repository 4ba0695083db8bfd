"""Table lines, and the programs behind them."""

import os
import pwd
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.operator import programs
from opensmtpd.operator.programs import TableLine, find, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("table users sqlite:/etc/mail/users.conf", ("users", "sqlite", "/etc/mail/users.conf")),
        ("table\tusers 'sqlite:/a b'  # why", ("users", "sqlite", "/a b")),
        ("sqlite:/etc/mail/users.conf", ("users", "sqlite", "/etc/mail/users.conf")),
        ("table t sqlite", ("t", "sqlite", None)),
        ("file:/etc/mail/aliases", ("aliases", "file", "/etc/mail/aliases")),
        ("/etc/mail/aliases", ("aliases", "file", "/etc/mail/aliases")),
        ("table t x:/a:b", ("t", "x", "/a:b")),
    ],
)
def test_a_line(text: str, wanted: TableLine) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("table t sqlite:relative", "smtpd wants a path that begins with /; not 'relative'"),
        ("table t { a, b }", "the rows of this table stand in smtpd.conf"),
        ("table t", "no table line; write it as: table NAME TYPE:/PATH"),
        ("", "no table line"),
        ("table t 'x:/", "no table line: No closing quotation"),
    ],
)
def test_no_line(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert str(error.value).startswith(reason)


def test_the_first_of_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(programs, "LIBEXEC", tuple(map(str, folders)))
    (folders[1] / "table-x").touch()
    (folders[2] / "table-x").touch()
    assert find(TableLine("t", "x", None)) == f"{tmp_path}/b/table-x"


def test_beside_our_own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table-x").touch(0o755)
    monkeypatch.setattr("sys.executable", f"{tmp_path}/python")
    assert find(TableLine("t", "x", None)) == f"{tmp_path}/table-x"


@pytest.mark.parametrize("kind", ["db", "getpwnam"])
def test_what_is_built_in(kind: str) -> None:
    with pytest.raises(
        ConfigError, match=f"^{kind} is a part of smtpd: there is no program to ask$"
    ):
        find(TableLine("t", kind, "/x"))


def test_whom_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def getpwnam(name: str) -> str:
        names.append(name)
        if name != "opensmtpd":
            raise KeyError(name)
        return "entry"

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert programs.smtpd_user() == "entry"  # type: ignore[comparison-overlap]
    assert names == ["_smtpd", "opensmtpd"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert programs.smtpd_user() is None
