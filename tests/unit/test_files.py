"""Files that an administrator names: what is read, and what is said of all others."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd import files
from opensmtpd.errors import ConfigError
from opensmtpd.files import reading


def said(path: object) -> str:
    """Return the error that a path gives."""
    with pytest.raises(ConfigError) as caught, reading(str(path)):
        pass
    return str(caught.value)


def read_error(number: int) -> OSError:
    """Return the error of a number, as the system raises it."""
    return OSError(number, os.strerror(number))


def test_a_file_is_read_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\r\n\0")
    with reading(str(tmp_path / "a")) as file:
        assert file.read() == b"\xff\r\n\0"
    assert file.closed


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "link").symlink_to("a")
    with reading(str(tmp_path / "link")) as file:
        assert file.read() == b"text"


def test_programs_that_are_started_do_not_inherit_it(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with reading(str(tmp_path / "a")) as file:
        assert not os.get_inheritable(file.fileno())


def test_a_fifo_does_not_wait_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert said(tmp_path / "fifo") == (
        f"{tmp_path}/fifo: a FIFO, not a regular file; name a regular file"
    )


def test_a_fifo_that_has_a_writer_is_refused_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    both = os.open(tmp_path / "fifo", os.O_RDWR)
    try:
        assert "a FIFO, not a regular file" in said(tmp_path / "fifo")
    finally:
        os.close(both)


def test_other_kinds_of_files(tmp_path: Path) -> None:
    assert said(tmp_path) == f"{tmp_path}: a directory, not a regular file; name a regular file"
    assert said("/dev/zero") == "/dev/zero: a device, not a regular file; name a regular file"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        assert said(tmp_path / "socket") == (
            f"{tmp_path}/socket: cannot read it: No such device or address; name a regular file"
        )


def test_dev_null_is_an_empty_file() -> None:
    with reading("/dev/null") as file:
        assert file.read() == b""


def test_nothing_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    for path in ("/", "/dev/zero", "/no/such/file"):
        said(path)
    assert os.listdir("/proc/self/fd") == before


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "example.com.key"
    assert said(path) == (
        f"{path}: cannot read it: No such file or directory; make the file, or correct the path"
    )
    assert said(path / "deeper").endswith("No such file or directory; correct the path")


def test_the_nearest_name_is_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "example.com.mail.key").touch()
    (tmp_path / "aliases").touch()
    assert said(tmp_path / "example.com.key").endswith(
        f"; did you mean {tmp_path}/example.com.mail.key?"
    )
    monkeypatch.chdir(tmp_path)
    assert said("alias").endswith("; did you mean aliases?")


def test_a_way_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert said(tmp_path / "a" / "b").endswith("cannot read it: Not a directory; correct the path")
    (tmp_path / "loop").symlink_to("loop")
    assert said(tmp_path / "loop").endswith("; correct the path")
    assert said("a\0b") == "a NUL byte in a path; correct the path"


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], str]], str]:
    """Return a function that calls another as user nobody, in a child, and returns its result."""

    def call(function: Callable[[], str]) -> str:
        if os.geteuid():
            pytest.skip("only root may become another user")
        here, there = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                text = function()
            except BaseException as error:  # the child must not go on as a second pytest
                text = f"{type(error).__name__}: {error}"
            os.write(there, text.encode())
            os._exit(0)
        os.close(there)
        with open(here, "rb") as pipe:
            text = pipe.read().decode()
        os.waitpid(child, 0)
        return text

    return call


def test_who_may_not_read_it(
    tmp_path_factory: pytest.TempPathFactory, as_nobody: Callable[[Callable[[], str]], str]
) -> None:
    folder = Path("/tmp") / tmp_path_factory.mktemp("files").name
    folder.mkdir(mode=0o755)
    (folder / "key").touch(mode=0o600)
    (folder / "closed").mkdir(mode=0o700)
    try:
        assert as_nobody(lambda: said(folder / "key")) == (
            f"{folder}/key: cannot read it: Permission denied; let user nobody read it"
        )
        assert as_nobody(lambda: said(folder / "closed" / "sub" / "key")) == (
            f"{folder}/closed/sub/key: cannot read it: Permission denied;"
            f" let user nobody enter the directory {folder}/closed"
        )
    finally:
        (folder / "key").unlink()
        (folder / "closed").rmdir()
        folder.rmdir()


def test_an_error_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(ConfigError) as caught, reading(str(tmp_path / "a")):
        raise read_error(errno.EIO)
    assert str(caught.value) == (
        f"{tmp_path}/a: cannot read it: Input/output error;"
        " see the system's log for the disk that it is on"
    )


def test_an_opener_gets_path_and_flags(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    def opener(path: str, flags: int) -> int:
        assert path == "b"
        return os.open("a", flags | os.O_NOFOLLOW, dir_fd=folder)

    try:
        with reading("b", opener=opener) as file:
            assert file.read() == b"text"
    finally:
        os.close(folder)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_machine_that_has_nothing_to_give(number: int) -> None:
    def opener(_path: str, _flags: int) -> int:
        raise read_error(number)

    with pytest.raises(ConfigError) as caught, reading("a", opener=opener):
        pass
    assert str(caught.value).endswith(
        "; wait until the machine has more to give, or raise its limit"
    )


def test_another_process_opens_what_the_sandbox_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what may not be opened: a file that is not there is not asked for again."""
    (tmp_path / "a").write_text("text")
    asked: list[str] = []

    def opener(path: str, flags: int) -> int:
        asked.append(path)
        return real(path, flags)

    def refuse(path: str, flags: int) -> int:
        raise (
            PermissionError(errno.EACCES, "Permission denied")
            if os.path.exists(path)
            else FileNotFoundError(errno.ENOENT, "No such file")
        )

    real = os.open
    monkeypatch.setattr(files, "_reopen", None)
    files.before_sandbox(opener)
    monkeypatch.setattr(os, "open", refuse)
    with reading(str(tmp_path / "a")) as file:
        assert file.read() == b"text"
    with pytest.raises(ConfigError), reading(str(tmp_path / "b")):
        pass
    assert asked == [str(tmp_path / "a")]


def test_a_file_that_only_the_sandbox_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a").write_text("text")
    with pytest.raises(ConfigError) as caught, reading(str(tmp_path / "a"), opener=refuse):
        pass
    assert caught.value.remedy == "restart smtpd: the sandbox knows the folders of the start only"
