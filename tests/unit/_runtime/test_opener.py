"""Processes that open files anew for one that may not."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from opensmtpd._runtime import opener as opener_module
from opensmtpd._runtime.opener import Opener

FLAGS = os.O_RDONLY | os.O_CLOEXEC


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "aliases"
    path.write_text("first")
    return path


@pytest.fixture
def opener(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Two processes, which have time to be slow."""
    monkeypatch.setattr("opensmtpd._runtime.opener.WITHIN", 20.0)
    made = Opener([str(file)])
    yield made
    for end in made._ends:
        end.close()
    for child in made._children:
        with suppress(ChildProcessError):  # one that was killed, and replaced
            os.waitpid(child, 0)


def read(opener: Opener, path: Path) -> str:
    with open(opener.open(str(path), FLAGS)) as file:
        return file.read()


def test_a_file_is_opened_by_its_name_each_time(opener: Opener, file: Path) -> None:
    assert read(opener, file) == "first"
    new = file.with_name("new")
    new.write_text("second")
    new.rename(file)
    assert read(opener, file) == "second"


def test_a_file_that_is_not_there(opener: Opener, file: Path) -> None:
    file.unlink()
    with pytest.raises(FileNotFoundError):
        read(opener, file)
    file.write_text("back")
    assert read(opener, file) == "back"


def test_no_other_file_is_opened(opener: Opener, file: Path) -> None:
    other = file.with_name("other")
    other.write_text("x")
    with pytest.raises(PermissionError):
        read(opener, other)


def test_no_file_is_written(opener: Opener, file: Path) -> None:
    with pytest.raises(PermissionError):
        opener.open(str(file), os.O_RDWR)
    with pytest.raises(PermissionError):
        opener.open(str(file), os.O_RDONLY | os.O_TRUNC)
    assert read(opener, file) == "first"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_one_that_dies_is_replaced(opener: Opener, file: Path, number: int) -> None:
    for child in opener._children:
        os.kill(child, number)
        assert read(opener, file) == "first"
    assert len(opener._ends) == 2


def test_signals_of_administrators_end_none(opener: Opener, file: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        for child in opener._children:
            os.kill(child, number)
    ends = list(opener._ends)
    assert read(opener, file) == "first"
    assert opener._ends == ends


def test_one_that_is_stopped_is_passed_over(
    opener: Opener, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(opener._children[0], signal.SIGSTOP)
    opener._ends[0].settimeout(0.05)
    assert read(opener, file) == "first"
    assert len(opener._ends) == 2
    os.kill(opener._children[0], signal.SIGCONT)


def test_all_of_them_stopped(opener: Opener, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error within a bounded time, and they serve again when they go on."""
    monkeypatch.setattr("opensmtpd._runtime.opener.WITHIN", 0.05)
    for end, child in zip(opener._ends, opener._children, strict=True):
        end.settimeout(0.05)
        os.kill(child, signal.SIGSTOP)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            read(opener, file)
    for child in opener._children:
        os.kill(child, signal.SIGCONT)
    for end in opener._ends:
        end.settimeout(20)
    assert read(opener, file) == "first"


def test_a_file_whose_open_hangs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a dead mount: no third process is made to hang, and the file may come back."""
    hangs, opens = file.with_name("hangs"), os.open

    def stuck(path: str, flags: int) -> int:
        while hangs.exists():
            time.sleep(0.01)
        return opens(path, flags)

    hangs.touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", stuck)  # in the processes that are forked now
        made = Opener([str(file)])
    for end in made._ends:
        end.settimeout(0.05)
    monkeypatch.setattr(opener_module, "WITHIN", 0.05)
    with pytest.raises(TimeoutError):
        made.open(str(file), FLAGS)
    assert len(made._ends) == 2
    hangs.unlink()
    made._ends[0].settimeout(10)
    assert read(made, file) == "first"
    for end in made._ends:
        end.close()


def test_no_descriptor_is_left(opener: Opener, file: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(file, FLAGS)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            opener.open(str(file), FLAGS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read(opener, file) == "first"


def test_all_of_them_dead(opener: Opener, file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for child in opener._children:
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    for _ in range(2):
        with pytest.raises(PermissionError):
            read(opener, file)
    assert capfd.readouterr().err.count("opener-lost") == 1
    assert opener._ends == []


def test_they_end_with_the_process_that_they_serve(file: Path) -> None:
    made = Opener([str(file)])
    for end in made._ends:
        end.close()
    assert [os.waitpid(child, 0)[1] for child in made._children] == [0, 0]


def test_they_keep_no_descriptor_of_the_process(file: Path) -> None:
    """smtpd waits for the end of its socket, which a copy would keep open."""
    read_end, write_end = os.pipe()
    made = Opener([str(file)])
    os.close(write_end)
    assert read(made, file) == "first"  # so both have begun, or will
    assert os.read(read_end, 1) == b""
    os.close(read_end)
    for end in made._ends:
        end.close()
