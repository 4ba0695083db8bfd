"""The title of a process, which ps(1) shows in the place of its command line."""

import contextlib
import sys
from functools import cache
from typing import Any


def set_title(title: str) -> None:
    """Show ``title`` in ps(1), in the place of the command line."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.platform == "linux":
            _write_arguments(title.encode())
        else:
            _libc().setproctitle(b"-%s", title.encode())


def _write_arguments(title: bytes) -> None:
    """Write over the arguments in this process's memory."""
    import ctypes  # noqa: PLC0415  2 ms

    begin, end = _arguments()
    room = end - begin
    if begin and room > 1:
        ctypes.memmove(begin, title[: room - 1].ljust(room, b"\0"), room)
        _libc().prctl(15, title[:15], 0, 0, 0)  # PR_SET_NAME


@cache
def _arguments() -> tuple[int, int]:
    """Return where the arguments begin and end, as proc_pid_stat(5) tells: read once.

    They are at the same place in each copy of the process, which may read it no more.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    return int(fields[45]), int(fields[46])


def _libc() -> Any:
    import ctypes  # noqa: PLC0415  as above

    return ctypes.CDLL(None)
