"""Tell that the status of a file will show each later change: when the file has rested.

A write sets the times of a file, but a file system's clock has ticks, some of a second: of two
writes within one, the second changes no time. So a status tells nothing until the tick of the last
write is over, by the wall clock, and by our own count of the time for which the status has been the
same, because a file system may have another clock. When the wall clock is set, all begins anew:
times that have been may come again. (A clock that is set, and set back before anybody looks, goes
unseen. To matter, a write would have to meet the time of the last one, to its tick.)

This holds on local file systems (``local.py``): those of a network show a change late.
"""

import os
import time
from collections.abc import Callable
from operator import attrgetter
from typing import TypeAlias

REST = 1.5
"""Seconds: one for the longest tick of a local file system, and more than STEP."""
STEP = 0.25
"""Seconds by which the wall clock may be set without our notice."""

Status: TypeAlias = tuple[int, int, int, int, int]
"""Device, inode, size, nanoseconds of the last change of the contents, and of the inode.

The time of the contents can be set to any (``cp -p``, rsync), that of the inode cannot.
"""


status_of: Callable[[os.stat_result], Status] = attrgetter(
    "st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"
)
"""Returns what counts of the result of stat(2)."""


class Rest:
    """Is told the status of a file again and again, and gives stamps for it.

    The clocks give seconds: one that nobody sets, and the wall clock.
    """

    def __init__(
        self, steady: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._steady, self._wall = steady, wall
        self._status: Status | None = None
        self._distance = self._begins = 0.0
        self._stamp = object()

    def stamp(self, status: Status) -> object | None:
        """Return None until the file rests, then one object as long as it does.

        As long as the same object is returned, nobody has written to the file since the first time.
        A status that comes again, and one that lasts while the clock is set, have another one then.
        """
        now = self._steady()
        distance = self._wall() - now
        if status != self._status or abs(distance - self._distance) > STEP:
            last_write = max(status[3:]) / 1e9 - distance
            self._status, self._distance, self._stamp = status, distance, object()
            self._begins = max(now, last_write) + REST
        return self._stamp if now >= self._begins else None
