"""A database that other programs may lock, change, replace, break or remove at any time."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from opensmtpd.backends.sqlite.config import COLUMNS, Config, Statement
from opensmtpd.errors import ConfigError, LocalError, Unavailable
from opensmtpd.table import VALUE_MAX, to_bytes, to_str

Row = tuple[object, ...]
Arguments = tuple[object, ...] | dict[str, object]

STEPS = 10_000
"""Instructions of SQLite's machine between two moments to interrupt it: a lookup takes some 20."""
CACHE = 4096
"""KiB of the database that are kept in memory."""
CELL_MAX = 1 << 20
"""Bytes of a cell: a writer of the database must not be able to take all memory."""
PARAMETERS_MAX = 32
"""``?`` in a query."""


class Database:
    """The file that ``dbpath`` names: opened to be read only, and again when it is another one."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._path = config.dbpath
        self._uri = f"file:{quote(os.fsencode(os.path.abspath(self._path)))}?mode=ro"
        self._connection: sqlite3.Connection | None = None
        self._file = (0, 0, 0, 0)
        self._shared = False
        self.opened = 0
        """The number of times that it was opened."""

    def close(self) -> None:
        """Close it. The next query opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        """Return a connection to the file that has the name now."""
        if self._shared and self._connection is not None:
            return self._connection
        try:
            status = os.stat(self._path)
        except OSError as error:
            self.close()
            raise Unavailable(f"{self._path}: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):  # to open a FIFO would block
            self.close()
            raise Unavailable(f"{self._path}: no regular file")
        # Neither the name nor SQLite's own counter tells a copy that was written over the file.
        file = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        if self._connection is not None and file == self._file:
            return self._connection
        self.close()
        connection = sqlite3.connect(
            self._uri, uri=True, timeout=self.config.busy_timeout, isolation_level=None
        )
        connection.text_factory = to_str
        # Python code, run now and then while a query is: the watchdog can strike there.
        connection.set_progress_handler(_go_on, STEPS)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, CELL_MAX)
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        self._connection, self._file = connection, file
        self.opened += 1
        return connection

    def _execute(self, sql: str, arguments: Arguments) -> sqlite3.Cursor:
        return self._open().execute(sql, arguments)

    def row(self, statement: Statement, key: str) -> Row | None:
        """Return the first row. Raises Unavailable, ConfigError."""
        try:
            arguments = self._arguments(statement, key)  # first: it may open the database
            cursor = self._open().execute(statement.sql, arguments)
            row: Row | None = cursor.fetchone()
            cursor.close()  # a statement with rows left would lock writers out
        except sqlite3.Error as error:
            raise self._failed(error) from None
        return row

    def rows(self, statement: Statement, key: str | None = None) -> list[Row]:
        """Return all rows, for a key as many as fit into a value.

        Raises Unavailable, ConfigError.
        """
        try:
            if key is None:
                return self._open().execute(statement.sql).fetchall()
            arguments = self._arguments(statement, key)
            cursor = self._open().execute(statement.sql, arguments)
            rows = cursor.fetchmany(VALUE_MAX)
            cursor.close()
            return rows
        except sqlite3.Error as error:
            raise self._failed(error) from None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have several queries share one look at the database, which saves most of their cost."""
        if self._shared or not self._begin():  # without, each query will say itself what is wrong
            yield
            return
        try:
            yield
            if self._connection is not None:
                self._connection.execute("COMMIT")
        except sqlite3.Error:  # the next query tries anew
            self.close()
        except BaseException:  # a transaction left open would lock writers out, and show old rows
            self.close()
            raise
        finally:
            self._shared = False

    def _begin(self) -> bool:
        try:
            self._execute("BEGIN", ())
            self._shared = True
        except (sqlite3.Error, Unavailable):
            self.close()
        except BaseException:  # the watchdog, who may come at any moment
            self.close()
            raise
        return self._shared

    def version(self) -> tuple[int, int]:
        """Return what differs when another program changed the database. Raises Unavailable."""
        try:
            (version,) = self._execute("PRAGMA data_version", ()).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from None
        return self.opened, version

    def _arguments(self, statement: Statement, key: str) -> Arguments:
        count = statement.parameters
        if count == 1 and key.isascii() and not statement.named:
            return (key,)
        if count is None:
            count = self._count(statement)
        if not key.isascii():
            try:
                key.encode()
            except UnicodeEncodeError:  # no text that sqlite3 would pass on; bytes equal no text
                return _bound((to_bytes(key),) * count, statement.named)
        return _bound((key,) * count, statement.named)

    def _failed(self, error: sqlite3.Error) -> Unavailable:
        """Forget what is cached of a database that is in trouble."""
        self.close()
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_READONLY_"):  # "attempt to write" is what SQLite says of it
            fault = "a writer was interrupted, or it is in WAL mode and nobody has it open"
            remedy = "open it once as its owner"
            return Unavailable(f"{self._path}: {fault} ({name}); {remedy}")
        return Unavailable(f"{self._path}: {error}")

    # --- the check of the statements ------------------------------------------------------------

    def check(self) -> None:
        """Prepare all statements. Raises ConfigError for a bad one, Unavailable."""
        for statement in self.config.statements.values():
            takes_key = statement.key.startswith("query_")
            if self._count(statement) and not takes_key:
                raise self._bad(statement, "there is a '?', and nothing to put there")
            columns = self._columns(statement)
            wanted = COLUMNS[statement.key]
            if columns != wanted:
                raise self._bad(statement, f"it gives {columns} columns and should give {wanted}")

    def _columns(self, statement: Statement) -> int:
        arguments = _bound((None,) * self._count(statement), statement.named)
        try:
            try:  # without running it
                sql = f"SELECT * FROM ({statement.sql.rstrip(' ;')}\n) LIMIT 0"
                cursor = self._execute(sql, arguments)
            except sqlite3.Error:  # a comment behind a semicolon, say
                cursor = self._execute(statement.sql, arguments)
            columns = len(cursor.description or ())
            cursor.close()
        except sqlite3.Error as error:
            raise self._sorted(statement, error) from None
        return columns

    def _count(self, statement: Statement) -> int:
        """Learn and return how many parameters there are, which sqlite3 does not tell otherwise."""
        if statement.parameters is not None:
            return statement.parameters
        for count in range(PARAMETERS_MAX + 1):
            try:
                sql = f"EXPLAIN {statement.sql}"
                self._execute(sql, _bound(("",) * count, statement.named)).close()
            except sqlite3.ProgrammingError as error:
                statement.named |= "named parameter" in str(error)
                if "inding" not in str(error):
                    raise self._bad(statement, str(error)) from None
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise self._sorted(statement, error) from None
            else:
                statement.parameters = count
                return count
        raise self._bad(statement, f"it has more than {PARAMETERS_MAX} parameters")

    def _sorted(self, statement: Statement, error: Exception) -> LocalError:
        """Tell a bad statement from a bad database."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        # One that writes is bad here; with a journal left to roll back, the code would be another.
        statements_own = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY)
        if isinstance(error, sqlite3.Error) and code not in statements_own:
            return self._failed(error)
        return self._bad(statement, str(error))

    def _bad(self, statement: Statement, reason: str) -> ConfigError:
        message = f"{statement.key}: {reason}"
        return ConfigError(message, path=self.config.path, line=statement.line)


class _Every(dict[str, object]):
    """One value under all names."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value

    def __missing__(self, _: str) -> object:
        return self.value


def _bound(values: Row, named: bool) -> Arguments:
    return _Every(values[0]) if named and values else values


def _go_on() -> int:
    return 0
