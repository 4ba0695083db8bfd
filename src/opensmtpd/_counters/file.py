"""The counter file of this process, in a folder where anybody may make files.

It is opened before the process confines itself, and locked as long as it lives. Where the folder is
missing, or anything else fails, nothing is counted, and nobody is told: mail goes first.
"""

import fcntl
import os
import stat
import sys
import time
from contextlib import suppress

from opensmtpd._counters import record
from opensmtpd._counters.counts import OWN
from opensmtpd._counters.names import PROGRAMS

FOLDER = f"/var/{'lib' if sys.platform == 'linux' else 'db'}/opensmtpd-plugins/metrics"
SLOTS = 16
"""Files of one program, at most: one for each of its processes."""
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Of open(2), for files that others may have put there."""


class CounterFile:
    """A file that holds the counts of this process."""

    def __init__(self, descriptor: int) -> None:
        """Write the first record. Raises OSError."""
        self._descriptor = descriptor
        self._began = time.time_ns()
        self._written: list[int] | None = None
        os.ftruncate(descriptor, 0)
        os.fchmod(descriptor, 0o644)
        os.pwrite(descriptor, record.pack(self._began, OWN.values), 0)

    def write(self) -> None:
        """Write the counts, if there are new ones. A failure is ignored."""
        if OWN.values != self._written:
            with suppress(Exception):  # a full disk, or no memory
                self._written = OWN.values.copy()
                os.pwrite(self._descriptor, record.pack(self._began, self._written), 0)


def path_of(program: str, slot: int) -> str:
    """Return the path of the file of a program's process."""
    return f"{FOLDER}/{program}.{slot}"


def opened(program: str) -> CounterFile | None:
    """Return the file for a process of a program; None where there can be none."""
    known = program if program in PROGRAMS else "other"
    for slot in range(SLOTS if os.path.isdir(FOLDER) else 0):
        descriptor = _own(path_of(known, slot))
        if descriptor is not None:
            with suppress(OSError):
                return CounterFile(descriptor)
    return None


def _own(path: str) -> int | None:
    """Return the descriptor of a file that is this process's alone from now on, or None."""
    descriptor = -1
    try:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
        except FileExistsError:
            descriptor = os.open(path, os.O_RDWR | FLAGS)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_own(descriptor) and _is_named(descriptor, path):
            return descriptor
    except OSError:  # another's, or another process has it
        pass
    if descriptor >= 0:
        os.close(descriptor)
    return None


def _is_own(descriptor: int) -> bool:
    """Return whether a file was made by this user, and for this: others may put any file there."""
    found = os.fstat(descriptor)
    plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    if not plain or found.st_uid != os.geteuid():
        return False
    return os.pread(descriptor, len(record.MAGIC), 0) in (b"", record.MAGIC)


def _is_named(descriptor: int, path: str) -> bool:
    """Return whether a file has not been removed since it was opened."""
    return os.path.samestat(os.lstat(path), os.fstat(descriptor))
