"""Keep the private keys in this process's memory from others."""

import resource
import sys
from contextlib import suppress
from functools import cache
from typing import Any

_SET_DUMPABLE = 4
"""PR_SET_DUMPABLE of prctl(2)."""


def guard() -> None:
    """Have the system write no core file of this process, and show its memory to root alone.

    To be called before a private key is read or made. On Linux, a core file may also go to a
    program, which the limit does not prevent (core(5)), and each process of the same user may read
    our memory (ptrace(2)). A process that is not dumpable is kept from both. Then its files in
    /proc/self belong to root.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # A Python without ctypes signs mail all the same.
        with suppress(ImportError, OSError, AttributeError):
            _c_library().prctl(_SET_DUMPABLE, 0, 0, 0, 0)


@cache
def _c_library() -> Any:
    """Return the C library: opened once, since a reload opens no library any more."""
    import ctypes  # noqa: PLC0415  2 ms

    return ctypes.CDLL(None)
