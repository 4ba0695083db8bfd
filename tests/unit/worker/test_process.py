import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from opensmtpd.worker import process
from unit.support.in_child import in_child

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def test_signals_are_ignored_but_those_of_a_fault() -> None:
    def ignored() -> list[bool]:
        process.outlive_signals()
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTSTP)
        before = [signal.getsignal(number) == signal.SIG_IGN for number in numbers]
        for number in numbers:
            os.kill(os.getpid(), number)
        return [*before, signal.getsignal(signal.SIGSEGV) == signal.SIG_DFL]

    assert in_child(ignored) == repr([True] * 6)


def test_memory_and_core_files_are_limited() -> None:
    def guarded() -> object:
        process.guard(512 << 20)
        try:
            bytearray(1 << 30)
        except MemoryError:
            return resource.getrlimit(resource.RLIMIT_CORE)
        return "no limit"

    assert in_child(guarded) == "(0, 0)"


@LINUX
def test_the_oom_killer_takes_it_first_and_others_cannot_look_into_it() -> None:
    def guarded() -> object:
        process.guard(None)
        return Path("/proc/self/oom_score_adj").read_text().strip()

    assert in_child(guarded) == "'500'"

    def is_dumpable() -> object:
        import ctypes

        process.guard(None)
        return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE

    assert in_child(is_dumpable) == "0"


def test_no_process_can_be_started() -> None:
    def fork() -> object:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)  # root is not bound by the limit
        process.forbid_processes()
        try:
            if os.fork() == 0:
                os._exit(0)
        except OSError as error:
            return error.errno
        return "it forked"

    assert in_child(fork) == "11"


@LINUX
def test_it_ends_with_its_parent() -> None:
    reading, writing = os.pipe()
    middle = os.fork()
    if middle == 0:
        child = os.fork()
        if child == 0:
            process.end_with(os.getppid())
            os.write(writing, b"%d\n" % os.getpid())
            time.sleep(100)
        os.close(writing)
        os.read(reading, 32)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    os.waitpid(middle, 0)
    os.close(writing)
    with open(reading, "rb") as file:  # its end comes when the child has ended
        file.read()


@LINUX
def test_it_does_not_begin_where_its_parent_has_ended_already() -> None:
    pid = os.fork()
    if pid == 0:
        process.end_with(os.getppid() + 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
