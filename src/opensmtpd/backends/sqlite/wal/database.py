"""A database in WAL mode, for a process that may die: SQLite maps ``-shm`` into its memory.

SQLite opens ``-wal`` and ``-shm`` beside the database, and takes its own locks. A program that
truncates ``-shm`` kills this process with SIGBUS. Source: https://www.sqlite.org/wal.html.
"""

import os
import sqlite3
from collections.abc import Mapping
from time import monotonic

from opensmtpd.backends.rest import Status, status_of
from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.config import Config
from opensmtpd.backends.sqlite.connection import FAULTS, REMEDIES
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.backends.sqlite.file import DatabaseFile, InWal, State
from opensmtpd.backends.sqlite.wal.requests import NotInWal
from opensmtpd.errors import Unavailable

BUSY_MAX = 0.4
"""Seconds to wait for a lock, at most: the request has 0.5 s."""
RIGHTS = "let smtpd's user write to its directory, and to -wal and -shm there"
WAL_REMEDIES: Mapping[int, str] = {
    **REMEDIES,
    sqlite3.SQLITE_CANTOPEN: RIGHTS,
    sqlite3.SQLITE_READONLY: RIGHTS,
}
HELD = "SELECT 1 UNION ALL SELECT 1 FROM sqlite_master"
"""Two rows at least. Until they all are read, the connection sees one state of the database."""


class RequestClock(Clock):
    """The time of a query, which ends with that of the request."""

    def __init__(self) -> None:
        super().__init__(interrupts=False)
        self.until = 0.0
        """The end of the request, in seconds of ``time.monotonic``."""

    def start(self, seconds: float, connection: sqlite3.Connection | None = None) -> None:
        """Give the next query so much time, or what is left."""
        super().start(min(seconds, self.until - monotonic()), connection)


class WalFile(DatabaseFile):
    """The files that have the names now: SQLite opens and locks them."""

    tells = False  # a commit writes to ``-wal`` alone, which SQLite looks at itself

    def __init__(self, path: str, wait: float) -> None:
        super().__init__(path, wait)
        self.busy = min(wait, BUSY_MAX)
        self._beside = f"{path}-wal", f"{path}-shm"
        self._seen: tuple[object, bytes] = (None, b"")
        """The identities of both, and what ``state`` made of them."""

    def lock(self) -> Status:
        """Return the status of the database. Raises NotInWal."""
        try:
            return status_of(os.stat(self.path))
        except OSError as error:
            raise NotInWal(f"{self.path}: {error.strerror}") from None

    def state(self, status: Status) -> State:
        """Return what differs when other files have the names, or the database was written to."""
        wal, shm = self._beside
        now = _identity(wal), _identity(shm)
        if now != self._seen[0]:
            self._seen = now, repr(now).encode()
        return status, self._seen[1]

    def unlock(self) -> None:
        """Do nothing: SQLite unlocks it."""

    def is_still(self, state: State) -> bool:
        """Return whether the file has the name yet."""
        return self.lock()[:2] == state[0][:2]


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class WalDatabase(Database):
    """A database in WAL mode. All methods raise NotInWal for another."""

    remedies = WAL_REMEDIES

    def __init__(self, config: Config) -> None:
        self.time = RequestClock()
        file = WalFile(os.path.abspath(config.dbpath), config.busy_timeout)
        super().__init__(config, file, self.time)
        self._opening = b""
        self._held: sqlite3.Cursor | None = None

    def _connect(self, state: State) -> None:
        self._must_be_wal()
        super()._connect(state)
        self._opening = os.urandom(8)

    def _must_be_wal(self) -> None:
        """Raise NotInWal unless the front would call it a database in WAL mode."""
        # To close the file ends the locks of SQLite on it, of which there are none here.
        file = DatabaseFile(self._path, 0)
        try:
            file.state(file.lock())
        except InWal:
            return
        except Unavailable:
            pass
        finally:
            file.close()
        raise NotInWal(f"{self._path}: it is not in WAL mode")

    def version(self) -> object:
        """Return what is another one when the database has changed. Raises Unavailable."""
        try:
            connection = self._open()
            self._start_clock(connection)
            (number,) = connection.execute("PRAGMA data_version").fetchone()
        except FAULTS as error:
            raise self._failed(error) from None
        return [self._opening, number]

    # --- one state of the database for several requests -----------------------------------------

    @property
    def shared(self) -> bool:
        """Return whether ``share`` was called, and not ``unshare``."""
        return self._shared

    def share(self) -> None:
        """See one state of the database until ``unshare``; each query says what is wrong."""
        self._share()
        if self._connection is not None:
            try:
                self._start_clock(self._connection)
                self._held = self._connection.execute(HELD)
            except FAULTS as error:
                self._failed(error)

    def unshare(self) -> None:
        """See each change again."""
        self._unshare()

    def _unshare(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        super()._unshare()

    def close(self) -> None:
        """Close it, so that others may change its mode. The next query opens it again."""
        self._held = None
        super().close()
