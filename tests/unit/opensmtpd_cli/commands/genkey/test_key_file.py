"""The file of a key: whose it is, where it is, and that nothing is left of what fails."""

import errno
import grp
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.genkey import key_file
from unit.support.new_keys import state

PEM = b"-----BEGIN PRIVATE KEY-----\n"
OTHERS = next(group for group in grp.getgrall() if group.gr_gid not in (0, os.getgid()))
"""Stands for the filter's group."""
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /etc/mail/dkim. It is not there, nor is the one above."""
    path = tmp_path / "mail" / "dkim"
    monkeypatch.setattr(key_file, "DIRECTORY", str(path))
    monkeypatch.setattr(key_file, "USER", OTHERS.gr_name)
    return path


def write(path: str, pem: bytes) -> None:
    with key_file.new(path, pem):
        pass


def owner(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


def test_where_a_key_is() -> None:
    assert key_file.DIRECTORY == "/etc/mail/dkim"
    assert key_file.named("/d", "Example.com", "mail") == "/d/Example.com.mail.key"


@root
@pytest.mark.parametrize("umask", [0, 0o077])
def test_root_gives_it_to_the_filter_to_read(directory: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        write(str(directory / "a.key"), PEM)
    finally:
        os.umask(old)
    assert (directory / "a.key").read_bytes() == PEM
    assert owner(directory / "a.key") == (0, OTHERS.gr_gid, 0o640)
    assert owner(directory) == (0, OTHERS.gr_gid, 0o750)
    assert owner(directory.parent) == (0, 0, 0o755)


@root
def test_a_directory_that_is_there_stays_as_it_is(directory: Path) -> None:
    directory.mkdir(parents=True)
    directory.chmod(0o770)
    os.chown(directory, 1234, 1235)
    write(str(directory / "a.key"), PEM)
    assert owner(directory) == (1234, 1235, 0o770)
    assert owner(directory / "a.key") == (0, OTHERS.gr_gid, 0o640)


@root
def test_two_at_once_make_the_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.mkdir

    def mkdir(path: str, mode: int, *, dir_fd: int) -> None:
        real(path, 0o711, dir_fd=dir_fd)  # the other one was faster
        real(path, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", mkdir)
        write(str(directory / "a.key"), PEM)
    assert (directory / "a.key").read_bytes() == PEM
    assert owner(directory) == (0, 0, 0o711)


@root
def test_no_other_directory_is_made(directory: Path) -> None:
    with pytest.raises(ConfigError, match="else: there is no such directory; make it, or name"):
        write(str(directory.parent / "else" / "a.key"), PEM)
    assert not directory.parent.exists()


@root
def test_no_group(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "USER", "_dkimsign_")
    with pytest.raises(ConfigError) as caught:
        write(str(directory / "a.key"), PEM)
    assert str(caught.value) == (
        "there is no group _dkimsign_; install filter-dkimsign's package, or:"
        " useradd --system --no-create-home _dkimsign_"
    )
    assert not directory.parent.exists()


def test_who_is_not_root(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="there is no such directory; run it as root, or name"):
        write(str(directory / "a.key"), PEM)
    assert not directory.parent.exists()
    directory.mkdir(parents=True)
    write(str(directory / "a.key"), PEM)
    assert owner(directory / "a.key") == (os.getuid(), directory.stat().st_gid, 0o600)


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@root
@pytest.mark.parametrize("step", ["fchown", "fchmod", "fsync"])
def test_nothing_is_left_of_what_fails(
    directory: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for path in (directory / "a.key" if step == "fsync" else directory.parent, directory / "a.key"):
        there = directory.exists()
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{step}", failing(errno.ENOSPC))
            with pytest.raises(OSError, match="No space left on device") as caught:
                write(str(directory / "a.key"), PEM)
        assert caught.value.filename == str(path)
        assert not any(directory.parent.glob("*/*"))
        assert directory.parent.exists() is there
        directory.mkdir(parents=True, exist_ok=True)


def test_nothing_is_left_of_what_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(str(tmp_path / "a.key"), PEM)
    assert state(tmp_path) == {}


def test_where_one_may_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.open", failing(errno.EACCES))
    with pytest.raises(ConfigError, match="Permission denied; run it as root, or name a"):
        write(str(tmp_path / "a.key"), PEM)
