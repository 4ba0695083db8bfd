"""Errors of the system, and what a user lacks."""

import errno
import os
import pwd
from pathlib import Path

import pytest

from opensmtpd_cli.system import denied


@pytest.fixture
def me(monkeypatch: pytest.MonkeyPatch) -> str:
    """The user of this process, who may do what the mode bits of an owner say, even as root."""

    def access(path: str, how: int, **_: bool) -> bool:
        return bool(os.stat(path).st_mode >> 6 & how)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    return pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("closed", "mode", "wanted"),
    [
        ("a", 0o600, "enter the directory {}/a"),
        ("a/b", 0o600, "enter the directory {}/a/b"),
        ("a/b/file", 0o200, "read it"),
        ("a/b/file", 0o400, "write to it"),
        ("a/b", 0o500, "write to the directory {}/a/b"),
    ],
)
def test_what_a_user_lacks(tmp_path: Path, me: str, closed: str, mode: int, wanted: str) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    file = tmp_path / "a" / "b" / "file"
    file.touch()
    assert denied.lacking(str(file), write=True) == ""
    (tmp_path / closed).chmod(mode)
    what = wanted.format(tmp_path)
    assert denied.lacking(str(file), write=True) == f"run this as root, or let user {me} {what}"
    (tmp_path / closed).chmod(0o700)


def test_root_is_not_told_to_be_root(
    tmp_path: Path, me: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    (tmp_path / "file").touch(0o200)
    lacking = denied.lacking(str(tmp_path / "file"), write=False)
    assert lacking == f"let user {me} read it"


def test_each_error_has_its_own_remedy(tmp_path: Path, me: str) -> None:
    def remedy(number: int, path: Path) -> str:
        return denied.remedy(OSError(number, os.strerror(number), str(path)))

    tmp_path.chmod(0o500)
    wanted = f"run this as root, or let user {me} write to the directory {tmp_path}"
    assert remedy(errno.EACCES, tmp_path / "new") == wanted
    tmp_path.chmod(0o700)
    assert remedy(errno.EROFS, tmp_path / "new").startswith("mount its file system for writing")
    assert remedy(errno.ENOENT, tmp_path / "new") == ""
    assert denied.remedy(PermissionError(errno.EACCES, "Permission denied")) == ""
