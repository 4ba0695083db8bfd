import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd import early
from opensmtpd._runtime import program
from opensmtpd.worker import Loading, Pool, launch
from unit.support.other_python import run
from unit.support.workers import ECHO


@pytest.fixture(autouse=True)
def garbage_collector() -> Iterator[None]:
    """Have it run again: it is off from the start of a worker's process on."""
    yield
    gc.enable()


def test_the_garbage_collector_waits_for_smtpd_to_be_served() -> None:
    early.start(ECHO)
    assert not gc.isenabled()
    program.settle()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def test_a_pool_takes_the_process_that_was_started() -> None:
    early.start(ECHO)
    pid, _ = early._started[ECHO]
    stem = launch.launch(ECHO)
    assert stem.pid == pid
    assert Loading(stem).load("x") == ["loaded", "x"]
    assert ECHO not in early._started


def test_a_second_pool_gets_another_process() -> None:
    early.start(ECHO)
    first, second = launch.launch(ECHO), launch.launch(ECHO)
    assert first.pid != second.pid
    for stem in (first, second):
        loading = Loading(stem)
        loading.load("x")
        loading.close()


def test_a_class_that_cannot_be_imported_is_told_when_the_pool_is_made() -> None:
    early.start("unit.support.nothing:Here")
    with pytest.raises(Exception, match="ModuleNotFoundError in a worker that loads"):
        Pool("unit.support.nothing:Here")


@pytest.mark.parametrize("way", ["fork", "posix_spawn"])
def test_without_processes_the_pool_tries_again(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(os, way, refuse)
        patch.setattr(early, "_may_be_copied", lambda: way == "fork")
        early.start(ECHO)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == signals
    loading = Loading(launch.launch(ECHO))
    assert loading.load("x") == ["loaded", "x"]
    loading.close()


PROGRAM = """\
import os, signal, threading, time
from opensmtpd import early
from opensmtpd.worker import Loading, launch

def unwanted(worker):
    raise AssertionError("the other way of starting it")

early.{unwanted} = unwanted
{before}
early.start({worker!r})
assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
stem = launch.launch({worker!r})
loading = Loading(stem)
print(*loading.load("x"))
place = f"/proc/{{stem.pid}}/fd"
print(*sorted(os.path.basename(os.readlink(f"{{place}}/{{fd}}")) for fd in (0, 1)))
print(len(os.listdir(place)))
loading.close()
assert os.waitstatus_to_exitcode(os.waitpid(stem.pid, 0)[1]) == 0
"""


@pytest.mark.parametrize(
    ("unwanted", "before"),
    [
        ("spawn", ""),
        ("spawn", "early.start('unit.support.workers:Worker')"),
        ("fork", "ours = open(os.devnull)"),
        ("fork", "threading.Thread(target=time.sleep, args=[60], daemon=True).start()"),
    ],
    ids=["copied", "twice", "something open", "threads"],
)
def test_a_process_that_is_fresh_is_copied(unwanted: str, before: str) -> None:
    """Copied or not, it does the same, and has its control socket and standard error alone."""
    found = run(PROGRAM.format(unwanted=unwanted, before=before, worker=ECHO))
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == "loaded x\nnull null\n4\n"


@pytest.mark.parametrize(("before", "there"), [("pass", True), ("ours = open(os.devnull)", False)])
def test_what_both_import_is_imported_before_the_copy(before: str, there: bool) -> None:
    """A Python of its own has nothing to share: both import at the same time."""
    code = (
        f"import os, sys; from opensmtpd import early; {before};"
        "early.fork = early.spawn = lambda _: print('wave' in sys.modules) or (0, 0);"
        "early.start('x:X', 'wave')"
    )
    found = run(code)
    assert (found.stdout, found.stderr) == (f"{there}\n", "")


def test_without_proc_none_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> list[str]:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(os, "listdir", missing)
    assert not early._may_be_copied()


def test_a_copy_that_fails_to_begin_ends() -> None:
    code = (
        "import os; from opensmtpd import early; from opensmtpd.worker import stem;"
        "stem.main = lambda *_: 1 / 0;"
        f"early.start({ECHO!r}); pid, _ = early._started[{ECHO!r}];"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    found = run(code)
    assert (found.stdout, found.stderr) == ("1\n", "early-failed error=ZeroDivisionError\n")


def test_it_ends_with_a_program_that_makes_no_pool() -> None:
    code = f"from opensmtpd import early; early.start({ECHO!r}); print(early._started[{ECHO!r}][0])"
    ran = run(code)
    stat = Path(f"/proc/{int(ran.stdout)}/stat")
    while stat.exists() and b") Z " not in stat.read_bytes():
        os.sched_yield()


def test_it_imports_nothing_of_ours_and_nothing_that_takes_time() -> None:
    code = (
        "import sys; from opensmtpd import early;"
        "slow = {'enum', 're', 'selectors', 'signal', 'socket', 'threading', 'typing'};"
        "print(*sorted(each for each in sys.modules if 'opensmtpd' in each or each in slow))"
    )
    ran = run(code, "-S")
    assert (ran.stdout, ran.stderr) == ("opensmtpd opensmtpd.early\n", "")
