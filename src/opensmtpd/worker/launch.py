"""Start the first stem of a pool: the only program that a plugin's front starts."""

import os
import signal
import socket
import sys
from contextlib import suppress

from opensmtpd import log
from opensmtpd.errors import ConfigError
from opensmtpd.needs import sandboxed
from opensmtpd.worker.ends import StemEnd
from opensmtpd.worker.frames import pack
from opensmtpd.worker.stem_orders import BEGIN

_PROGRAM = "import sys; sys.path[:] = {path!r}; from opensmtpd.worker.stem import main; main({fd})"
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""


def launch(worker: str) -> StemEnd:
    """Start a stem with the class ``worker``, and return the front's end of its control socket.

    It gets neither smtpd's descriptors nor a shell, and each of its signals is blocked until it
    ignores them. Raises ConfigError where the system has no process to give.
    """
    _become_subreaper()
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.set_inheritable(True)
        path = [each for each in sys.path if os.path.isabs(each)]
        program = _PROGRAM.format(path=path, fd=theirs.fileno())
        flags = ["-B"] if sys.dont_write_bytecode else []
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", *flags, "-c", program],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                ],
                setsigmask=signal.valid_signals(),
            )
        except OSError as error:
            ours.close()
            raise ConfigError(f"no worker can be started: {error.strerror}") from None
    name = os.path.basename(sys.argv[0]) or "plugin"
    end = StemEnd(ours)
    end.pid, end.serves = pid, True
    end.order(pack([BEGIN, worker, name, log.goes_to_syslog(), os.getpid(), sandboxed()]))
    return end


def _become_subreaper() -> None:
    """Have later stems become children of this process, on Linux, so that they end with it."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  2 ms, for plugins with workers only

        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
