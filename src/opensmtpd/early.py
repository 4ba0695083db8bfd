"""Start the process behind a pool before the program imports its own modules.

A program with workers is two processes when it starts, and each imports for some tens of
milliseconds. An entry point that names its worker first has both import at the same time::

    def main() -> None:
        early.start("my_worker:Hash")
        from my_filter import main as serve  # imports what the filter needs

        serve()

This module imports nothing of ours, and little else.
"""

import os
import signal
import socket
import sys

__all__ = ["start"]

_PROGRAM = """\
import sys
sys.path[:] = {path!r}
from opensmtpd.worker.stem import main
main({fd}, {name!r})
"""

_started: dict[str, tuple[int, socket.socket]] = {}


def start(worker: str) -> None:
    """Start the process that ``worker.Pool(worker)`` will need, and have it import its modules.

    ``worker`` is ``"MODULE:CLASS"``. The process ends with this one, whether a pool is made or not.
    Where the system has no process to give, the pool tries again, and tells.
    """
    try:
        _started[worker] = spawn(worker)
    except OSError:
        return


def stem(worker: str) -> tuple[int, socket.socket]:
    """Return the process id of the process for ``worker``, and our end of its control socket.

    It is the one that was started early, or else a new one. Raises OSError.
    """
    return _started.pop(worker, None) or spawn(worker)


def spawn(worker: str) -> tuple[int, socket.socket]:
    """Start a stem with the class ``worker``. Raises OSError.

    It gets neither smtpd's descriptors nor a shell, and each of its signals is blocked until it
    ignores them.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.set_inheritable(True)
        path = [each for each in sys.path if os.path.isabs(each)]
        program = _PROGRAM.format(path=path, fd=theirs.fileno(), name=worker)
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
        except OSError:
            ours.close()
            raise
    return pid, ours
