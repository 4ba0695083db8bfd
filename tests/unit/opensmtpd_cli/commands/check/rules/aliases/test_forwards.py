"""What smtpd holds against a .forward."""

import os
import pwd
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules.aliases import forwards
from unit.support.checked import found_by

TEXT = 'action "in" maildir\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of the only user, who is ourselves and counts as a person."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    entry = pwd.struct_passwd(("al", "x", os.getuid(), os.getgid(), "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [entry])
    monkeypatch.setattr(forwards, "_PEOPLE", [os.getuid()])
    (home / ".forward").write_text("al@example.org\n")
    (home / ".forward").chmod(0o644)
    return home


def said(folder: Path, text: str = TEXT) -> list[str]:
    found = found_by(forwards.forwards, folder, text)
    assert all((each.severity, each.code) == ("error", "forward-refused") for each in found)
    return [each.fault for each in found]


def test_one_that_smtpd_takes(tmp_path: Path, home: Path) -> None:
    assert said(tmp_path) == []
    (home / ".forward").unlink()
    assert said(tmp_path) == []


def test_one_that_others_may_write_to(tmp_path: Path, home: Path) -> None:
    (home / ".forward").chmod(0o664)
    assert said(tmp_path) == ["smtpd refuses it: its group or everybody may write to it"]


def test_one_in_a_folder_that_others_may_write_to(tmp_path: Path, home: Path) -> None:
    home.chmod(0o775)
    assert said(tmp_path) == [f"smtpd refuses it: the group of {home} or everybody may write to it"]


def test_a_home_with_the_sticky_bit(tmp_path: Path, home: Path) -> None:
    home.chmod(0o1755)
    assert said(tmp_path) == [f"smtpd refuses it: {home} has the sticky bit"]


def test_a_link(tmp_path: Path, home: Path) -> None:
    (home / ".forward").rename(home / "other")
    (home / ".forward").symlink_to("other")
    assert said(tmp_path) == ["smtpd refuses it: it is a symbolic link, or no file"]


def test_a_long_one(tmp_path: Path, home: Path) -> None:
    (home / ".forward").write_text("al@example.org\n" * 300)
    assert said(tmp_path) == ["smtpd refuses it: it has 4096 bytes or more"]


@pytest.mark.usefixtures("home")
def test_users_of_a_table_have_none(tmp_path: Path, home: Path) -> None:
    (home / ".forward").chmod(0o666)
    assert said(tmp_path, 'action "in" maildir userbase { al = "1:1:/" }\n') == []
    assert said(tmp_path, 'action "out" relay\n') == []
