"""A reload whose work a thread does: smtpd is answered meanwhile, whatever becomes of it.

Here an ``open`` that hangs is that of a FIFO which nobody writes to, as on a dead mount.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opensmtpd._runtime.reload import HUNG_MAX
from unit.support.child import PATIENCE, Child
from unit.support.talk import request, result

PLAIN = "    def on_noop(self, session, request):\n"
COROUTINE = "    async def on_noop(self, session, request):\n"

READS = """        return Reject(550, self.answer)
    answer = "first"
    def reload(self):
        log("reading")
        return Offload(self.read)
    def read(self):
        if os.path.exists("fifo"):
            open("fifo").close()
        answer = open("state").read()
        if answer == "explode":
            raise ValueError(answer)
        if answer == "end":
            sys.exit(answer)
        if answer == "bad":
            raise ConfigError("bad state", path="state", line=3)
        if answer == "nothing":
            return None
        def swap():
            if answer == "no swap":
                raise ConfigError(answer)
            self.answer = answer
        return swap
"""


@contextmanager
def serving(folder: Path, *options: str, handler: str = PLAIN) -> Iterator[Child]:
    """Run the filter in ``folder``."""
    source = f"os.chdir({str(folder)!r})\nclass Some(Filter):\n{handler}{READS}"
    with Child(folder, source, *options) as child:
        child.hello()
        yield child


@pytest.fixture(params=[PLAIN, COROUTINE], ids=["plain", "asyncio"])
def handler(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def child(handler: str, tmp_path: Path) -> Iterator[Child]:
    with serving(tmp_path, handler=handler) as child:
        says(child, b"first")  # with a coroutine, it is on asyncio from now on
        yield child


@pytest.fixture
def hurried(handler: str, tmp_path: Path) -> Iterator[Child]:
    """One whose reload is soon late."""
    with serving(tmp_path, "--deadline", "2", handler=handler) as child:
        says(child, b"first")
        yield child


def says(child: Child, answer: bytes) -> None:
    child.send(request(b"noop"))
    assert child.lines() == [result(b"reject|550 " + answer)]


def hang_up(child: Child, state: str, folder: Path) -> None:
    (folder / "state").write_text(state)
    child.hang_up()
    assert child.log() == "reading"


def hang(folder: Path) -> None:
    """Have whoever reads from now on wait for ``release``."""
    os.mkfifo(folder / "fifo")


def release(folder: Path) -> None:
    """Let one that waits go on."""
    os.close(opened(folder / "fifo"))


def opened(fifo: Path) -> int:
    """Open a FIFO to write, when somebody waits who reads: that one, and later ones, go on."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > end:
                raise
            time.sleep(0.01)


def test_the_new_state_comes_when_it_is_complete(child: Child, tmp_path: Path) -> None:
    hang(tmp_path)
    hang_up(child, "second", tmp_path)
    says(child, b"first")
    release(tmp_path)
    assert child.log() == "reloaded"
    says(child, b"second")
    assert child.end() == (0, b"", "")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("bad", 'reason="state:3: bad state"'),
        ("explode", "error=ValueError"),
        ("end", "error=SystemExit"),
        ("nothing", 'reason="returned None for reload, not a function"'),
        ("no swap", 'reason="no swap"'),
    ],
)
def test_a_failure_keeps_the_old_state(
    child: Child, tmp_path: Path, state: str, reason: str
) -> None:
    hang_up(child, state, tmp_path)
    assert child.log() == f'reload-failed {reason} kept="the old configuration"'
    says(child, b"first")
    hang_up(child, "second", tmp_path)
    assert child.log() == "reloaded"
    says(child, b"second")


LATE = 'reload-failed reason="no answer within 2 s" kept="the old configuration"'


def test_one_that_hangs_is_logged_and_another_one_works(hurried: Child, tmp_path: Path) -> None:
    hang(tmp_path)
    hang_up(hurried, "never", tmp_path)
    assert hurried.log() == LATE
    says(hurried, b"first")
    (tmp_path / "fifo").rename(tmp_path / "old")  # as a mount that is gone and made anew
    hang_up(hurried, "second", tmp_path)
    assert hurried.log() == 'threads-stuck count=1 reason="work that never returns"'
    assert hurried.log() == "reloaded"
    says(hurried, b"second")


def test_what_comes_late_is_dropped(hurried: Child, tmp_path: Path) -> None:
    hang(tmp_path)
    hang_up(hurried, "late", tmp_path)
    assert hurried.log() == LATE
    release(tmp_path)
    (tmp_path / "fifo").unlink()
    says(hurried, b"first")
    hang_up(hurried, "second", tmp_path)
    line = hurried.log()
    if line.startswith("threads-stuck "):  # the thread has not noticed the end of its work yet
        line = hurried.log()
    assert line == "reloaded"
    says(hurried, b"second")


def test_signals_meanwhile_are_one(child: Child, tmp_path: Path) -> None:
    hang(tmp_path)
    hang_up(child, "second", tmp_path)
    for _ in range(3):
        child.hang_up()
        says(child, b"first")
    writer = opened(tmp_path / "fifo")
    assert [child.log() for _ in range(3)] == ["reloaded", "reading", "reloaded"]
    os.close(writer)
    says(child, b"second")
    assert child.end() == (0, b"", "")


def threads(child: Child) -> int:
    return len(os.listdir(f"/proc/{child.process.pid}/task"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
def test_threads_that_hang_do_not_pile_up(tmp_path: Path) -> None:
    with serving(tmp_path, "--deadline", "2") as child:
        hang(tmp_path)
        stuck = 0
        for _ in range(HUNG_MAX):
            hang_up(child, "second", tmp_path)
            while (line := child.log()) != LATE:  # the threads log how many of them hang
                stuck += line.startswith("threads-stuck ")
        assert stuck == HUNG_MAX - 1
        before = threads(child)
        for _ in range(10):
            child.hang_up()
            assert child.log() == (
                f'reload-failed reason="{HUNG_MAX} threads hang, which read for reloads before"'
                ' kept="the old configuration"'
            )
        assert threads(child) == before
        says(child, b"first")
        writer = opened(tmp_path / "fifo")
        end = time.monotonic() + PATIENCE
        while True:  # until they have noticed
            child.hang_up()
            if child.log() == "reading":
                break
            assert time.monotonic() < end
            time.sleep(0.01)
        assert child.log() == "reloaded"
        os.close(writer)
        says(child, b"second")


def test_the_process_ends_with_smtpd_while_one_hangs(child: Child, tmp_path: Path) -> None:
    hang(tmp_path)
    hang_up(child, "never", tmp_path)
    assert child.end()[0] == 0


def test_an_idle_filter_has_the_whole_time_for_it(tmp_path: Path) -> None:
    """The deadline counts from the signal, not from smtpd's last line."""
    with serving(tmp_path, "--deadline", "2") as child:
        time.sleep(2.5)
        hang_up(child, "second", tmp_path)
        assert child.log() == "reloaded"
