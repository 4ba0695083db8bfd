import os
import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd import early
from opensmtpd.worker import Loading, Pool, launch
from unit.support.workers import ECHO


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


def test_without_processes_the_pool_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_spawn", refuse)
        early.start(ECHO)
    loading = Loading(launch.launch(ECHO))
    assert loading.load("x") == ["loaded", "x"]
    loading.close()


def test_it_ends_with_a_program_that_makes_no_pool() -> None:
    code = f"from opensmtpd import early; early.start({ECHO!r}); print(early._started[{ECHO!r}][0])"
    path = os.pathsep.join(each for each in sys.path if each)
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    stat = Path(f"/proc/{int(run.stdout)}/stat")
    while stat.exists() and b") Z " not in stat.read_bytes():
        os.sched_yield()


def test_it_imports_nothing_of_ours() -> None:
    code = (
        "import sys; from opensmtpd import early;"
        "print(*sorted(each for each in sys.modules if each.startswith('opensmtpd')))"
    )
    path = os.pathsep.join(each for each in sys.path if each)
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert run.stdout == b"opensmtpd opensmtpd.early\n"
