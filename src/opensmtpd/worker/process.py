"""A process behind the front sets its own signals, limits, name and end."""

import contextlib
import resource
import signal
import sys
from signal import Signals

from opensmtpd._runtime.sandbox import linux
from opensmtpd._runtime.sandbox.libc import library

_FATAL = frozenset(
    [
        *(Signals.SIGKILL, Signals.SIGSTOP),  # cannot be ignored
        *(Signals.SIGSEGV, Signals.SIGBUS, Signals.SIGFPE, Signals.SIGILL, Signals.SIGTRAP),
        *(Signals.SIGABRT, Signals.SIGSYS),  # the process is at fault
        Signals.SIGCHLD,  # ignored, it would make waitpid(2) fail
    ]
)
OOM_SCORE = "500"
"""Added to the score of oom_score_adj(5): where memory ends, a worker goes before the front."""


def outlive_signals() -> None:
    """Ignore each signal that an administrator may send: the front's end is that of this process.

    Signals were blocked from the start of the process on, so that none could end it before.
    """
    for number in signal.valid_signals() - _FATAL:
        with contextlib.suppress(OSError, ValueError):  # one that the C library keeps
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def guard(memory: int | None) -> None:
    """Have no core file written, limit memory, and show it to root alone.

    Where memory ends for the machine, this process is to go first.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if sys.platform == "linux":
        # Before the process ceases to be dumpable: its files in /proc belong to root then.
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write(OOM_SCORE)
        library().prctl(linux.SET_DUMPABLE, 0, 0, 0, 0)


def forbid_processes() -> None:
    """Have this process start no other; root is not bound by that limit."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def end_with(parent: int) -> None:
    """End this process when its parent ends, whose process id is ``parent``; on Linux.

    Elsewhere the end of the connection does it, unless the process is stopped.
    """
    if sys.platform == "linux":
        linux.end_with(parent)
