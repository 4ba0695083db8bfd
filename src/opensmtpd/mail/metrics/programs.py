"""The counts of other programs, from the files in which they keep them.

Anybody may put files into that folder. So they are opened by the names that they can have, the
folder is not listed, and anything but a regular file with a whole record is passed over.
"""

import fcntl
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from opensmtpd._counters import record
from opensmtpd._counters.counts import OWN
from opensmtpd._counters.file import FLAGS, FOLDER, SLOTS, path_of
from opensmtpd._counters.names import PROGRAMS

Values = list[int]


class Seen(NamedTuple):
    """The last record of a process."""

    began: int
    values: Values


class Programs:
    """The counts of all programs, those of processes that have ended since included."""

    folder = FOLDER
    """Where the files are."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], Seen] = {}
        """Processes that run, by program and slot."""
        self._ended: dict[str, Values] = {}

    def read(self) -> None:
        """Read all files. Raises nothing."""
        for program in PROGRAMS:
            for slot in range(SLOTS):
                self._read(program, slot)

    @property
    def running(self) -> Mapping[str, int]:
        """Return the number of processes of each program that has any."""
        found: dict[str, int] = {}
        for program, _ in self._seen:
            found[program] = found.get(program, 0) + 1
        return found

    def totals(self) -> dict[str, Values]:
        """Return the counts of each program that was seen, in the order of ``OWN.index``."""
        found = {program: values.copy() for program, values in self._ended.items()}
        for (program, _), seen in self._seen.items():
            found[program] = _sum(found.get(program), seen.values)
        return found

    def _read(self, program: str, slot: int) -> None:
        path = path_of(program, slot)
        try:
            descriptor = os.open(path, os.O_RDONLY | FLAGS)
        except FileNotFoundError:  # as most often
            self._end(program, slot)
            return
        except OSError:  # it may be read the next time
            return
        try:
            if _ends(descriptor):
                self._take(program, slot, descriptor, ended=True)
                self._end(program, slot)
                with suppress(OSError):
                    os.unlink(path)
            else:
                self._take(program, slot, descriptor, ended=False)
        except OSError:  # no file that can be read, a directory say
            pass
        finally:
            os.close(descriptor)

    def _take(self, program: str, slot: int, descriptor: int, *, ended: bool) -> None:
        """Take the record in a file. One of a process that was never seen to run is old.

        Raises OSError.
        """
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return
        try:
            new = Seen(*record.unpack(os.pread(descriptor, record.SIZE + 1, 0)))
        except ValueError:  # perhaps it is being written: the last one stays
            return
        old = self._seen.get((program, slot))
        if old is not None and old.began != new.began:
            self._end(program, slot)
            old = None
        if old is not None or not ended:
            self._seen[program, slot] = new

    def _end(self, program: str, slot: int) -> None:
        """Keep the counts of a process that has ended."""
        seen = self._seen.pop((program, slot), None)
        if seen is not None:
            self._ended[program] = _sum(self._ended.get(program), seen.values)


def _ends(descriptor: int) -> bool:
    """Return whether the process of a file has ended: it has the lock as long as it lives.

    If so, nobody gets the lock before the descriptor is closed. Raises OSError.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sum(one: Values | None, other: Values) -> Values:
    return [a + b for a, b in zip(one or [0] * len(OWN.values), other, strict=True)]
