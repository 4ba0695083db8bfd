"""Memory that the C library keeps for the next message."""

import sys
from contextlib import suppress
from typing import Any

KEPT = 8 << 20
"""Bytes of freed memory that a process keeps, at most, at the end of its heap."""
BLOCK = 4 << 20
"""Bytes of a block that is given back as soon as it is freed."""

# malloc.h of glibc
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed(library: Any = None) -> None:
    """Have glibc keep the memory of a block that is freed for the next one.

    The lines of a large message pass in blocks of 128 KB, and by default glibc gives such a block
    back to the system, which has to fill the next one with zeros (mallopt(3)). Where the C library
    is another one, all stays as it is. ``library`` takes its place in tests.
    """
    if sys.platform != "linux":
        return
    with suppress(Exception):  # a Python without ctypes; a C library without mallopt
        from opensmtpd._runtime.sandbox import libc  # noqa: PLC0415  not on other systems

        mallopt = (library or libc.library()).mallopt
        # glibc takes no such block on 32-bit systems, and then the other is to stay, too: with it
        # alone, each block would be mapped anew.
        if mallopt(_M_MMAP_THRESHOLD, BLOCK):
            mallopt(_M_TRIM_THRESHOLD, KEPT)
