"""Tell by one stat(2) that an answer which was given is current, if all of this holds.

- The database rests (``rest.py``), on a local file system (``local.py``). Every commit writes to it
  before it ends. The journal need not be looked at: where it is that of a writer who is gone, the
  file has another status, or is still as the last commit left it.
- The status is the one with which the last query found it, under a lock: not half a change.
- The statement is steady (``steady.py``).

A database in WAL mode changes without a change of its file, and is not read at all (``file.py``).
"""

import os
import sqlite3

from opensmtpd.backends.local import is_local, prepare
from opensmtpd.backends.rest import Rest, status_of
from opensmtpd.backends.sqlite.config import Statement
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
        self._path = path
        self._rest = Rest()
        self._device = -1
        self._local = False
        self._held: object | None = None
        prepare()  # before the sandbox

    def opened(self, state: State) -> None:
        """Begin anew, for a connection to a file in this state."""
        self._steady, self._held, self.wanted = {}, None, None
        if state[0][0] != self._device:
            self._device, self._local = state[0][0], is_local(self._path)

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

    def hold(self, state: State) -> None:
        """Judge once for a whole snapshot, which has just locked the database in this state."""
        self._held = self._rest.stamp(state[0]) if self._local else None

    def stamp(self, state: State, *, held: bool = False) -> object | None:
        """Return the stamp of ``Rest`` if the database is in a state yet; ``held``: in a snapshot.

        None where it is not, or does not rest.
        """
        if held:
            return self._held
        try:
            status = status_of(os.stat(self._path))
        except OSError:
            return None
        return self._rest.stamp(status) if self._local and status == state[0] else None
