"""A database that other programs may lock, change, replace, break or remove at any time."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from time import monotonic

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.config import Config
from opensmtpd.backends.sqlite.connection import FAULTS, REMEDIES, connect, explained, kind_of
from opensmtpd.backends.sqlite.current import Current
from opensmtpd.backends.sqlite.file import DatabaseFile, State
from opensmtpd.backends.sqlite.row_sizes import Row, memory, up_to, value_rows
from opensmtpd.backends.sqlite.statements import Arguments, bound, check_columns, learn
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.table import VALUE_MAX, to_bytes

QUERY_SECONDS = 0.5
"""For a query: all mail waits meanwhile."""
LOCKED_SECONDS = 0.1
"""At least, where most of QUERY_SECONDS went by until the database could be locked."""
LATE_SECONDS = 0.002
"""For each query of a snapshot, once its queries had QUERY_SECONDS together: a client chooses how
many rows its domain may match."""
LOOK_MAX = 10.0
"""More than a look takes behind its QUERY_SECONDS: one that lasts longer was left by mistake."""
LOAD_SECONDS = 2.0
"""For all rows of ``fetch_*`` or ``patterns_*``, while mail waits."""
START_SECONDS = 20.0
"""For the same at start, and for an update."""
LOAD_MAX = 64 << 20
"""Bytes of such rows, as ``row_sizes.memory`` counts them."""


class Database:
    """The file that ``dbpath`` names: opened to be read only, and again when it has changed."""

    remedies: Mapping[int, str] = REMEDIES

    def __init__(
        self, config: Config, file: DatabaseFile | None = None, clock: Clock | None = None
    ) -> None:
        self.config = config
        self._path = os.path.abspath(config.dbpath)
        self._file = file or DatabaseFile(self._path, config.busy_timeout)
        self._clock = clock or Clock()
        self._connection: sqlite3.Connection | None = None
        self._state: State | None = None
        self._shared, self._shared_end = False, 0.0
        self._for_one = False
        """True while it is held for one question, and not shared by several."""
        self._current = Current(self._path)
        self.opened = 0
        """The number of times that it was opened."""

    def close(self) -> None:
        """Close it. The next query opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._file.close()

    # --- queries --------------------------------------------------------------------------------

    def row(self, statement: Statement, key: str) -> Row | None:
        """Return the first row. Raises Unavailable, ConfigError."""
        try:
            arguments = self._arguments(statement, key)  # first: it may open the database
            connection = self._begin(statement, arguments)
            cursor = connection.execute(statement.sql, arguments)
            row: Row | None = cursor.fetchone()
            cursor.close()
        except FAULTS as error:
            raise self._failed(error, statement, QUERY_SECONDS) from None
        finally:
            self._release()
        return row

    def rows(self, statement: Statement, key: str) -> list[Row]:
        """Return all rows for a key, up to one too much for a value. Raises as ``row``."""
        try:
            arguments = self._arguments(statement, key)  # first: it may open the database
            connection = self._begin(statement, arguments)
            return value_rows(VALUE_MAX, connection.execute(statement.sql, arguments))
        except FAULTS as error:
            raise self._failed(error, statement, QUERY_SECONDS) from None
        finally:
            self._release()

    def all_rows(self, statement: Statement, seconds: float = LOAD_SECONDS) -> list[Row]:
        """Return all rows of a statement without a key. Raises Unavailable, Interrupted if late."""
        try:
            connection = self._open()
            self._clock.start(seconds, connection)
            rows, size = up_to(LOAD_MAX, connection.execute(statement.sql), memory)
        except FAULTS as error:
            raise self._failed(error, statement, seconds) from None
        finally:
            self._release()
        if size > LOAD_MAX:
            raise Unavailable(f"{self._path}: {statement.key} gives more than {LOAD_MAX >> 20} MiB")
        return rows

    def version(self) -> object:
        """Return what is another one when the database has changed. Raises Unavailable."""
        if self._stamp() is not None:  # as it was opened: that needs no lock
            return self._state
        try:
            self._open()
        finally:
            self._release()
        return self._state

    def stamp(self, statement: Statement) -> object | None:
        """Return one object as long as the answer to a statement is the same, None if unknown."""
        stamp = self._stamp()
        return stamp if stamp is not None and self._current.is_steady(statement) else None

    def _stamp(self) -> object | None:
        """Return one object as long as the database is as it was opened, None if unknown."""
        if self._connection is None:
            return None
        return self._current.held if self._shared else self._current.stamp()

    def snapshot(self) -> AbstractContextManager[None]:
        """Have several queries share one look at the database, which saves most of their cost."""
        return _Look(self, self._share)

    def hold(self) -> AbstractContextManager[None]:
        """Have one question and its stamp share one look. Raises Unavailable when entered."""
        return _Look(self, self._hold)

    def let_go(self) -> None:
        """End ``hold`` early, if there is one: what follows takes long."""
        if self._for_one:
            self._unshare()

    def _share(self) -> None:
        with suppress(Unavailable):  # each query will say itself what is wrong
            self._hold()
        self._for_one = False

    def _hold(self) -> None:
        self._open()
        self._shared, self._shared_end = True, monotonic() + self._seconds()
        self._for_one = True

    def _unshare(self) -> None:
        self._clock.stop()
        self._file.unlock()
        self._shared = self._for_one = False  # last: what is interrupted here is done again

    def _abandon(self) -> None:
        """End a look that was interrupted: a lock that stayed would stay for good."""
        self._shared = self._for_one = False
        self.close()

    def _begin(self, statement: Statement, arguments: Arguments) -> sqlite3.Connection:
        """Return the connection for a query, with the clock started."""
        connection = self._open()
        self._start_clock(connection)
        if self._current.wanted is statement:
            self._current.learn(statement, arguments, connection)
        return connection

    def _start_clock(self, connection: sqlite3.Connection) -> None:
        left = self._shared_end - monotonic() if self._shared else self._seconds()
        self._clock.start(max(left, LATE_SECONDS), connection)

    def _seconds(self) -> float:
        """Return the time that is left when the database is locked."""
        waited = self._file.waited
        return max(QUERY_SECONDS - waited, LOCKED_SECONDS) if waited else QUERY_SECONDS

    # --- the connection -------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        """Return a connection to the file that has the name now, locked until ``_release``."""
        if self._shared and self._connection is not None:
            return self._connection
        try:
            for _ in range(3):
                status = self._file.lock()
                if self._file.tells and self._current.hold(status) and self._connection:
                    return self._connection
                state = self._file.state(status)
                if self._connection is None:
                    self._connect(state)
                elif state != self._state or (self._file.tells and self._current.is_early(status)):
                    self.close()  # which ends the lock, too
                if self._connection is not None:
                    return self._connection
        except Unavailable:
            self.close()
            raise
        raise Unavailable(f"{self._path}: it is replaced again and again")

    def _connect(self, state: State) -> None:
        self._clock.start(QUERY_SECONDS)
        try:
            self._connection = connect(
                self._path, self._clock, self._current.uses.note, self._file.busy
            )
        except FAULTS as error:
            raise self._failed(error) from None
        self._state = state
        self._current.opened(state)
        self.opened += 1
        if not self._file.is_still(state):  # SQLite may have opened another one
            self.close()

    def _release(self) -> None:
        self._clock.stop()
        if not self._shared:
            self._file.unlock()

    def _arguments(self, statement: Statement, key: str) -> Arguments:
        count = statement.parameters
        if count == 1 and key.isascii() and not statement.named:
            return (key,)
        if count is None:
            count = learn(self.config, statement, self._execute)
        if not key.isascii():
            try:
                key.encode()
            except UnicodeEncodeError:  # no text that sqlite3 would pass on; bytes equal no text
                return bound((to_bytes(key),) * count, statement.named)
        return bound((key,) * count, statement.named)

    def _failed(
        self, error: Exception, statement: Statement | None = None, limit: float = QUERY_SECONDS
    ) -> Unavailable:
        """Forget what is cached of a database that is in trouble."""
        self.close()
        place = f"{self.config.path}:{statement.line}" if statement else ""
        what, remedy = explained(error, self.remedies, limit, place)
        key = f"{statement.key}: " if statement else ""
        return kind_of(error)(f"{self._path}: {key}{what}" + (f"; {remedy}" if remedy else ""))

    # --- the check of the statements ------------------------------------------------------------

    def faults(self) -> Iterator[ConfigError]:
        """Prepare all statements and yield what is wrong with each. Raises Unavailable."""
        for statement in self.config.statements.values():
            try:
                count = learn(self.config, statement, self._execute)
                check_columns(self.config, statement, self._execute, count)
            except ConfigError as error:
                yield error
            except FAULTS as error:
                raise self._failed(error, statement) from None
            finally:
                self._release()

    def check(self) -> None:
        """Raise the first of the faults, or Unavailable."""
        for fault in self.faults():
            raise fault

    def _execute(self, sql: str, arguments: Arguments) -> sqlite3.Cursor:
        connection = self._open()
        self._clock.start(QUERY_SECONDS, connection)
        return connection.execute(sql, arguments)


class _Look:
    """A context in which the database stays locked; within another one it does nothing."""

    __slots__ = ("_begin", "_database", "_within")

    def __init__(self, database: Database, begin: Callable[[], None]) -> None:
        self._database, self._begin = database, begin

    def __enter__(self) -> None:
        database = self._database
        if database._shared and monotonic() > database._shared_end + LOOK_MAX:
            database._abandon()  # the watchdog has interrupted its end
        self._within = database._shared
        if not self._within:
            try:
                self._begin()
            except BaseException:
                self._end()
                raise

    def __exit__(self, *_: object) -> None:
        if not self._within and (self._database._shared or self._database._for_one):
            self._end()  # unless it was let go

    def _end(self) -> None:
        try:
            self._database._unshare()
        except BaseException:  # the watchdog, or no memory
            self._database._abandon()
