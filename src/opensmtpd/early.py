"""Start the process behind a pool before the program imports its own modules.

A program with workers is two processes when it starts, and each imports for some tens of
milliseconds. An entry point that names its worker first has both import at the same time::

    def main() -> None:
        early.start("my_worker:Hash")
        from my_filter import main as serve  # imports what the filter needs

        serve()

The process is a copy of the program's, made when it has imported what both need: that is imported
once, and lies in the memory of both, at the same addresses. A program that has opened anything
before, or has threads, is not copied: a new Python is started, and imports for itself.

This module imports nothing of ours before it is called, and nothing that takes time.
"""

import gc
import os
import sys
from _signal import (  # type: ignore[import-not-found]  # what signal passes on
    SIG_BLOCK,
    SIG_SETMASK,
    pthread_sigmask,
    valid_signals,
)
from _socket import socketpair

__all__ = ["start"]

_PROGRAM = """\
import gc, sys
gc.disable()
sys.path[:] = {path!r}
from opensmtpd.worker.stem import main
main({fd}, {name!r})
"""

_started: dict[str, tuple[int, int]] = {}


def start(worker: str, *shared: str) -> None:
    """Start the process that ``worker.Pool(worker)`` will need, and have it import its modules.

    ``worker`` is ``"MODULE:CLASS"``. ``shared`` are modules of the program that bring nearly all
    that the worker imports: a copy is made when they have been imported. Call it before you read a
    secret: a copy has all that is in memory. The process ends with this one, whether a pool is made
    or not. Where the system has no process to give, the pool tries again, and tells.

    Python's garbage collector is off until smtpd is served: what is imported stays, and to look for
    garbage in it takes a tenth of the time.
    """
    gc.disable()
    if shared and _may_be_copied():
        for module in shared:
            __import__(module)
    try:
        _started[worker] = fork(worker) if _may_be_copied() else spawn(worker)
    except OSError:
        return


def _may_be_copied() -> bool:
    """Return whether this process has one thread, and nothing open but 0, 1, 2 and our sockets.

    A copy has no other threads, though their locks, and what is open may be used by one process
    only: a database, say. Where nothing tells, on other systems than Linux, it is False.
    """
    try:
        threads, descriptors = os.listdir("/proc/self/task"), os.listdir("/proc/self/fd")
    except OSError:
        return False
    open_ones = 3 + len(_started) + 1  # the last one is that of the folder
    return len(threads) == 1 and len(descriptors) == open_ones


def stem(worker: str) -> tuple[int, int]:
    """Return the process id of the process for ``worker``, and the descriptor of our end.

    That is a socket, through which it is controlled.

    It is the one that was started early, or else a new one. Raises OSError.
    """
    return _started.pop(worker, None) or spawn(worker)


def fork(worker: str) -> tuple[int, int]:
    """Do as ``spawn`` with a copy of this process, which must have one thread. Raises OSError."""
    from opensmtpd.worker.stem import main  # noqa: PLC0415  what both processes need, but for itself

    ours, theirs = socketpair()
    signals = pthread_sigmask(SIG_BLOCK, valid_signals())
    try:
        pid = os.fork()
        if not pid:
            try:
                nothing = os.open(os.devnull, os.O_RDWR)
                os.dup2(nothing, 0)  # smtpd's
                os.dup2(nothing, 1)
                sys.path[:] = _absolute_path()
                main(theirs.fileno(), worker)
            except BaseException as error:
                os.write(2, f"early-failed error={type(error).__name__}\n".encode())
            finally:
                os._exit(1)
    except OSError:
        ours.close()
        raise
    finally:
        pthread_sigmask(SIG_SETMASK, signals)
        theirs.close()
    return pid, ours.detach()


def _absolute_path() -> list[str]:
    return [each for each in sys.path if os.path.isabs(each)]


def spawn(worker: str) -> tuple[int, int]:
    """Start a stem with the class ``worker``. Raises OSError.

    It gets neither smtpd's descriptors nor a shell, and each of its signals is blocked until it
    ignores them.
    """
    ours, theirs = socketpair()
    try:
        os.set_inheritable(theirs.fileno(), True)
        program = _PROGRAM.format(path=_absolute_path(), fd=theirs.fileno(), name=worker)
        flags = ["-B"] if sys.dont_write_bytecode else []
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", *flags, "-c", program],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
            ],
            setsigmask=valid_signals(),
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return pid, ours.detach()
