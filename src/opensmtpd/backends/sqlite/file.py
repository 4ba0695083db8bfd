"""The file of a database: opened, locked and judged here, before SQLite reads it.

SQLite itself opens ``-journal``, ``-wal`` and ``-shm`` beside a database as it finds them. It maps
``-shm`` into memory, so that a program that truncates that file kills the process with SIGBUS, and
it waits for ever at a FIFO. Therefore SQLite is told that the file never changes, and opens nothing
but the file. The locks that other programs respect are taken here, and as long as one is held no
program that uses SQLite changes the file, nor its journal mode.

Source of the locks: https://www.sqlite.org/lockingv3.html and ``os_unix.c`` of SQLite.
"""

import fcntl
import os
import pwd
import stat
import struct
import sys
from time import monotonic, sleep

from opensmtpd.backends.rest import Status, status_of
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.files import reading

PENDING, RESERVED, SHARED, SHARED_SIZE = 0x40000000, 0x40000001, 0x40000002, 510
"""Offsets of the bytes that are locked, which lie in no page of a database."""
HEADER = 100
"""Bytes at the beginning: https://www.sqlite.org/fileformat.html section 1.3."""
WAL = 2
"""The value of bytes 18 and 19 in WAL mode."""
TRY = fcntl.LOCK_SH | fcntl.LOCK_NB
PAUSE = 0.005
"""Seconds between two attempts to get a lock."""
if sys.platform == "linux":
    FLOCK, FLOCK_FIELDS = "@hhqqi0q", ("type", "whence", "start", "len", "pid")
else:  # OpenBSD, and those that it comes from
    FLOCK, FLOCK_FIELDS = "@qqihh0q", ("start", "len", "pid", "type", "whence")
"""``struct flock``, and the order of its fields: ``<fcntl.h>``."""

State = tuple[Status, bytes]
"""A value that differs when the file has other contents.

It is the status and the header, which holds SQLite's counter of changes. The counter alone does not
tell a copy that was written over the file, and times alone do not tell two changes within one tick
of the clock.
"""


class InWal(Unavailable):
    """The database is in WAL mode: SQLite would map a file beside it into memory."""


class DatabaseFile:
    """A descriptor of the file that has the name now, and the lock on it.

    All methods raise Unavailable. To close any other descriptor of the file ends the lock, too:
    that is a rule of POSIX.
    """

    busy: float | None = None
    """Seconds that SQLite itself waits for locks; None as they are taken here."""
    tells = True
    """True where each change of the database changes the status of the file."""

    def __init__(self, path: str, wait: float) -> None:
        """``wait`` is in seconds: the time to wait for a lock."""
        self.path = path
        self._wait = wait
        self._wal, self._journal = f"{path}-wal", f"{path}-journal"
        self._descriptor = -1
        self._opened = (0, 0)
        self.waited = 0.0
        """Seconds that the last lock was waited for."""
        self._has_journal = False
        """True where there was a journal when it was locked."""

    def close(self) -> None:
        """Close the descriptor, which ends the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def lock(self) -> Status:
        """Lock the file that has the name now against changes, and return its status."""
        self.waited = 0.0
        for _ in range(3):
            if self._descriptor < 0:
                self._open()
            if not self._locked():
                self._wait_for_lock()
            status = self._status()
            if status[:2] == self._opened:
                return status
            self.close()
        raise Unavailable(f"{self.path}: it is replaced again and again")

    def state(self, status: Status) -> State:
        """Return the state of the file that was locked with this status, and may be read."""
        header = self._header()
        self._judge(header)
        return status, header

    def unlock(self) -> None:
        """Let others change the file. Without a lock, this does nothing."""
        if self._descriptor >= 0:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, SHARED_SIZE + 2, PENDING)

    def is_still(self, state: State) -> bool:
        """Return whether the file that was locked has the name yet."""
        return self._status()[:2] == state[0][:2]

    def _status(self) -> Status:
        try:
            return status_of(os.stat(self.path))
        except FileNotFoundError as error:
            self.close()
            fault = f"{self.path}: {error.strerror}; make it, or correct dbpath"
            raise Unavailable(fault) from None
        except OSError:
            self.close()
            return status_of(os.fstat(self._readable()))

    def _header(self) -> bytes:
        try:
            return os.pread(self._descriptor, HEADER, 0)
        except OSError as error:
            fault = f"cannot read it: {error.strerror}; see the system's log for the disk"
            raise Unavailable(f"{self.path}: {fault} that it is on") from None

    def _open(self) -> None:
        self._status()
        self._opened = status_of(os.fstat(self._readable()))[:2]

    def _readable(self) -> int:
        """Open it, if it is a regular file; the error has the remedy of its cause."""
        try:
            with reading(self.path) as file:
                self._descriptor = os.dup(file.fileno())
        except ConfigError as error:
            raise Unavailable(str(error)) from None
        return self._descriptor

    # --- locks ----------------------------------------------------------------------------------

    def _wait_for_lock(self) -> None:
        begin = monotonic()
        while not self._locked():
            self.waited = monotonic() - begin
            if self.waited >= self._wait:
                remedy = "another program changes it; busy_timeout says how long to wait"
                raise Unavailable(f"{self.path}: database is locked; {remedy}")
            sleep(PAUSE)

    def _locked(self) -> bool:
        """Try to get the lock of a reader; a writer who waits for readers to leave goes first.

        Only one with a journal is looked for: this is done for each lookup. A writer without one
        (``PRAGMA journal_mode=MEMORY``) goes between two lookups.
        """
        try:
            fcntl.lockf(self._descriptor, TRY, SHARED_SIZE, SHARED)
            self._has_journal = os.access(self._journal, os.F_OK)
            if self._has_journal:
                fcntl.lockf(self._descriptor, TRY, 1, PENDING)
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, PENDING)
        except (BlockingIOError, PermissionError):  # POSIX leaves the choice
            self.unlock()
            return False
        except OSError as error:
            remedy = "put it on a file system with locks"
            raise Unavailable(f"{self.path}: cannot lock it: {error.strerror}; {remedy}") from None
        return True

    # --- what must not be read as it is ---------------------------------------------------------

    def _judge(self, header: bytes) -> None:
        wal = WAL in header[18:20] or (os.access(self._wal, os.F_OK) and _content(self._wal))
        if wal:
            fault = "it is in WAL mode, which is not read here"
            raise InWal(f"{self.path}: {fault}; {self._owners('PRAGMA journal_mode=DELETE')}")
        # A second look: the first may have met a writer who was about to end.
        if self._has_journal and self._is_half() and self._is_half():
            fault = "a writer was interrupted, and left its journal"
            raise Unavailable(f"{self.path}: {fault}; {self._owners('any SELECT')}")

    def _is_half(self) -> bool:
        """Return whether a change was left half done, by somebody who is gone.

        Source: ``hasHotJournal`` in ``pager.c`` of SQLite.
        """
        if _content(self._journal) in (b"", b"\0"):
            return False
        return not _is_locked(self._descriptor, RESERVED)  # by a writer who is at work

    def _owners(self, sql: str) -> str:
        """Return the remedy: what the owner of the file is to do with sqlite3(1)."""
        owner = os.fstat(self._descriptor).st_uid
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = str(owner)
        return f"{sql} by its owner, {name}, ends that"


def _is_locked(descriptor: int, offset: int) -> bool:
    """Return whether another process has locked a byte; take no lock for that.

    A lock here, for a moment only, would tell others that a writer is at work: SQLite would not
    undo the half of a change, and go on with that.
    """
    place = {"start": offset, "len": 1, "pid": 0, "type": fcntl.F_WRLCK, "whence": os.SEEK_SET}
    asked = struct.pack(FLOCK, *(place[name] for name in FLOCK_FIELDS))
    try:
        told = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:  # where nothing tells, a writer may be at work
        return True
    return bool(told[FLOCK_FIELDS.index("type")] != fcntl.F_UNLCK)


def _content(path: str) -> bytes:
    """Return the first byte of a file; none of what is no regular file, and so cannot count."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return b""
        with reading(path) as file:
            return file.read(1)
    except FileNotFoundError:
        return b""
    except (OSError, ConfigError):  # it cannot be known: take it for one that counts
        return b"?"
