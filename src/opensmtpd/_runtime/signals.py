"""Signals that an administrator or a service manager sends: none of them may end smtpd's child.

smtpd stops when one of its plugins does. It ends them itself by closing the socket.
"""

import contextlib
import os
import signal
import stat
from signal import Signals
from types import FrameType

STOPS = frozenset([Signals.SIGTSTP, Signals.SIGTTIN, Signals.SIGTTOU])
"""Signals that stop a process. A write to a terminal would begin anew for each that is caught."""
KEPT = frozenset(
    [
        *(Signals.SIGKILL, Signals.SIGSTOP),  # cannot be caught
        *(Signals.SIGSEGV, Signals.SIGBUS, Signals.SIGFPE, Signals.SIGILL, Signals.SIGTRAP),
        *(Signals.SIGABRT, Signals.SIGSYS),  # as those above: the process is at fault
        *(Signals.SIGCHLD, Signals.SIGCONT, Signals.SIGURG, Signals.SIGWINCH),  # end nothing
        *(Signals.SIGHUP, Signals.SIGALRM),  # for the loop and the watchdog
    ]
)
"""Signals whose action stays as it is."""


def outlive(stdin: int) -> None:
    """Have no signal but those of KEPT do anything, where standard input is a socket: smtpd's.

    They are caught rather than ignored: programs that the plugin starts must end at them. A person
    in front of a terminal, or behind a pipe, still ends the plugin with Ctrl-C.
    """
    if not _is_socket(stdin):
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback
        return
    for number in signal.valid_signals() - KEPT:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            with contextlib.suppress(OSError, ValueError):  # one that the C library keeps
                signal.signal(number, signal.SIG_IGN if number in STOPS else _nothing)


def _is_socket(fd: int) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    return False


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    pass
