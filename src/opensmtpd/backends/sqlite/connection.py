"""A connection to SQLite that bounds what a database can do to the process.

A user who writes a database also writes its schema: a view can compute without end, make cells of
a gigabyte, or keep a single instruction of SQLite's machine busy for hours. So memory, cells and
time are bounded here. Source: https://www.sqlite.org/security.html and limits.html there.
"""

import os
import sqlite3
from collections.abc import Callable, Mapping
from typing import TypeAlias

from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.errors import Unavailable
from opensmtpd.table import to_str

_PLAIN = frozenset(b"/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""The bytes that a URI may have as they are."""
CELL_MAX = 4096
"""Bytes of a cell. smtpd takes 2,047 of a value; the longest single instruction, instr() say, takes
time by the square of this."""
SCHEMA_MAX = 1 << 16
"""Bytes of a CREATE statement: those of other programs' triggers and views may be long. SQLite
does not look at the clock within one, and compares each UNIQUE with all the others."""
CACHE = 4096
"""KiB of the database that are kept in memory."""
HEAP = 24 << 20
"""Bytes that SQLite may take in this process."""

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: CELL_MAX,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 16,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: CELL_MAX,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
PRAGMAS = (
    f"hard_heap_limit = {HEAP}",
    f"cache_size = -{CACHE}",
    "mmap_size = 0",  # a file that is truncated while it is mapped is a SIGBUS
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "query_only = ON",
)
ALLOWED = frozenset(
    [
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    ]
)
"""Actions that are allowed to a statement, and to the views that it asks."""
OWN = (sqlite3.SQLITE_PRAGMA, "data_version")
"""An action of ours, where others may change the database."""

Note: TypeAlias = Callable[[int, str | None, str | None], object]
"""Takes an action that a statement needs, and the two names that go with it."""

FAULTS = (sqlite3.Error, sqlite3.Warning, MemoryError, UnicodeError)
"""The exceptions of sqlite3: UnicodeError for words of a database that are no UTF-8, MemoryError at
HEAP."""


class Interrupted(Unavailable):
    """The query took too long."""


REMEDIES = {
    sqlite3.SQLITE_CORRUPT: "put a backup in its place",
    sqlite3.SQLITE_NOTADB: "correct dbpath, or put a backup in its place",
    sqlite3.SQLITE_IOERR: "see the system's log for the disk that it is on",
    sqlite3.SQLITE_CANTOPEN: "wait until the machine has more to give, or raise its limit",
    sqlite3.SQLITE_TOOBIG: "shorten the cells that the query reads",
}
"""By primary result code: https://www.sqlite.org/rescode.html."""


def _code(error: Exception) -> int:
    """Return the primary code of an error, without what an extended code adds; 0 for none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_late(error: Exception) -> bool:
    """Return whether an error says that a query took too long."""
    return _code(error) in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_AUTH)


def kind_of(error: Exception) -> type[Unavailable]:
    """Return the exception that is raised here for one of FAULTS."""
    return Interrupted if is_late(error) else Unavailable


def explained(
    error: Exception, remedies: Mapping[int, str], limit: float, place: str
) -> tuple[str, str]:
    """Return the text of a fault, and the remedy: that of its code, or to look at ``place``.

    ``limit`` is the time of the query, in seconds.
    """
    if isinstance(error, MemoryError):
        return "it takes more memory than SQLite may have here", ""
    if isinstance(error, UnicodeError):
        return "its schema is no UTF-8", remedies[sqlite3.SQLITE_CORRUPT]
    if is_late(error):
        return f"it takes longer than {limit:g} s", "an index may help"
    return str(error), remedies.get(_code(error)) or (f"look at {place}" if place else "")


def _ignore(_action: int, _one: str | None, _two: str | None) -> None:
    pass


def connect(
    path: str, clock: Clock, note: Note = _ignore, wait: float | None = None
) -> sqlite3.Connection:
    """Open a file, an absolute path, that nobody changes until the connection is closed.

    ``note`` is called for what each statement uses, while it is prepared. With ``wait`` others may
    change the file: SQLite opens the files beside it, too, takes its own locks, and waits so many
    seconds for those of others. Raises FAULTS.
    """
    uri = f"file:{quoted(path)}?mode=ro"
    if wait is None:
        uri += "&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=wait or 0.0)
    try:
        _bound(connection, clock, note, () if wait is None else OWN)
    except BaseException:
        connection.close()
        raise
    return connection


def scratch(clock: Clock) -> sqlite3.Connection:
    """Return an empty database in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _bound(connection, clock, _ignore)
    return connection


def _bound(
    connection: sqlite3.Connection, clock: Clock, note: Note, own: tuple[object, ...] = ()
) -> None:
    connection.text_factory = to_str
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, SCHEMA_MAX)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, SCHEMA_MAX)
    clock.watch(connection)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
    connection.execute("SELECT 1 FROM sqlite_master LIMIT 0").close()  # reads the schema
    for limit, value in LIMITS.items():
        connection.setlimit(limit, value)

    def authorize(action: int, one: str | None, two: str | None, *_: object) -> int:
        note(action, one, two)
        good = (action in ALLOWED or (action, one) == own) and not clock.is_over()
        return sqlite3.SQLITE_OK if good else sqlite3.SQLITE_DENY

    connection.set_authorizer(authorize)


def quoted(path: str) -> str:
    """Return a path as it stands in a URI (RFC 3986 section 2.1).

    ``urllib.parse.quote`` does the same; to import it takes 4 ms.
    """
    return "".join(chr(each) if each in _PLAIN else f"%{each:02X}" for each in os.fsencode(path))
