"""Tell by one stat(2) that an answer which was given is current, if all of this holds.

- The database rests (``rest.py``), on a local file system (``local.py``). Every commit writes to it
  before it ends. The journal need not be looked at: where it is that of a writer who is gone, the
  file has another status, or is still as the last commit left it.
- The status is the one with which it was opened, under a lock: not half a change. It rested then
  already: a commit within the tick of the one before it leaves the status as it is, and SQLite may
  have read what was there before. So it is opened once more when its rest begins.
- The statement is steady (``steady.py``).

So a query under a lock, too, finds the database as it was opened, and need not judge it again.

A database in WAL mode changes without a change of its file, and is not read at all (``file.py``).
"""

import os
import sqlite3

from opensmtpd.backends.local import is_local, prepare
from opensmtpd.backends.rest import Rest, Status, status_of
from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite.connection import FAULTS
from opensmtpd.backends.sqlite.file import State
from opensmtpd.backends.sqlite.statements import Arguments
from opensmtpd.backends.sqlite.steady import Uses, is_steady


class Current:
    """Tells it of the database that is open."""

    def __init__(self, path: str) -> None:
        self.uses = Uses()
        """Noted by the connection."""
        self.wanted: Statement | None = None
        """The statement of which it is to be learnt whether it is steady, by the next query of it:
        that has the database locked."""
        self._steady: dict[str, bool] = {}  # by their SQL, on this connection
        self._path = os.fsencode(path)
        self._rest = Rest()
        self._status: Status | None = None
        self._rested: object | None = None
        """The stamp of the rest in which it was opened, None where it did not rest."""
        self._device = -1
        self._local = False
        self.held: object | None = None
        """The stamp of the database as it was locked last."""
        prepare()  # before the sandbox

    def opened(self, state: State) -> None:
        """Begin anew, for a connection to a file in this state."""
        self._steady, self.held, self.wanted = {}, None, None
        self._status = state[0]
        if self._status[0] != self._device:
            self._device, self._local = self._status[0], is_local(os.fsdecode(self._path))
        self._rested = self._rest.stamp(self._status)

    def is_steady(self, statement: Statement) -> bool:
        """Return whether a statement is known to be steady; want to know if it is not known."""
        steady = self._steady.get(statement.sql)
        if steady is None:
            self.wanted = statement
        return bool(steady)

    def learn(
        self, statement: Statement, arguments: Arguments, connection: sqlite3.Connection
    ) -> None:
        """Learn it from the connection, which must not be used meanwhile."""
        self.wanted = None
        try:
            steady = is_steady(statement.sql, arguments, self.uses, connection.execute)
        except FAULTS:  # the query will say what is wrong
            steady = False
        self._steady[statement.sql] = steady

    def hold(self, status: Status) -> bool:
        """Take the status of the database, which is locked; return whether it is as it was opened.

        False where that is not known.
        """
        self.held = self._stamp_of(status)
        return self.held is not None

    def is_early(self, status: Status) -> bool:
        """Return whether it was opened before the rest that it is in: it is to be opened anew.

        ``status`` is that of the database, which is locked.
        """
        return (
            self._local and status == self._status and self._rest.stamp(status) is not self._rested
        )

    def stamp(self) -> object | None:
        """Return the stamp of ``Rest`` if the database is as it was opened, None if unknown."""
        try:
            return self._stamp_of(status_of(os.stat(self._path)))
        except OSError:
            return None

    def _stamp_of(self, status: Status) -> object | None:
        stamp = self._rest.stamp(status) if status == self._status and self._local else None
        return stamp if stamp is self._rested else None
