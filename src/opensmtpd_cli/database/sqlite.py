"""The rows of an SQLite database that ``schema`` describes: one transaction, or nothing at all."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

from opensmtpd_cli.database import faults, schema
from opensmtpd_cli.database.schema import CatalogueEntry, encoded, identifier
from opensmtpd_cli.database.store import Cell, StoreRow, there_already
from opensmtpd_cli.system import acting


class SqliteStore:
    """A ``Store`` on a connection that ``schema.connect`` or ``temporary`` has made."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def entries(self) -> list[CatalogueEntry]:
        """Return the tables, by name."""
        return schema.entries(self.db)

    def create_table(self, entry: CatalogueEntry) -> None:
        """Make one more table."""
        schema.create_table(self.db, entry)

    def has(self, entry: CatalogueEntry, key: str) -> bool:
        """Return whether there is a row with this key."""
        query = f"SELECT 1 FROM {identifier(entry.name)} WHERE key = CAST(? AS TEXT)"
        return self.db.execute(query, (encoded(key),)).fetchone() is not None

    def insert(self, entry: CatalogueEntry, *row: Cell) -> None:
        """Add a row. Raises ConfigError where its key is there already."""
        if self.has(entry, str(row[0])):
            raise there_already(entry, row[0])
        self.fill(entry, [row])

    def fill(self, entry: CatalogueEntry, rows: Iterable[StoreRow]) -> None:
        """Add rows to a table."""
        for row in rows:
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(cell, str) else "?" for cell in row)
            cells = [encoded(cell) if isinstance(cell, str) else cell for cell in row]
            self.db.execute(f"INSERT INTO {identifier(entry.name)} VALUES ({marks})", cells)

    def set_password(self, entry: CatalogueEntry, key: str, hash: str) -> bool:
        """Change the hash of a user; return whether there is one."""
        query = f"UPDATE {identifier(entry.name)} SET password = ? WHERE key = CAST(? AS TEXT)"
        return self.db.execute(query, (hash, encoded(key))).rowcount > 0

    def delete(self, entry: CatalogueEntry, key: str) -> bool:
        """Remove a row; return whether it was there."""
        query = f"DELETE FROM {identifier(entry.name)} WHERE key = CAST(? AS TEXT)"
        return self.db.execute(query, (encoded(key),)).rowcount > 0

    def every(self, entry: CatalogueEntry, *columns: str) -> Iterator[StoreRow]:
        """Yield these columns of all rows, by key."""
        names = ", ".join(columns)
        return self.db.execute(f"SELECT {names} FROM {identifier(entry.name)} ORDER BY key")

    def commit(self) -> None:
        """End the transaction, if there is one. Raises sqlite3.Error."""
        if self.db.in_transaction:
            self.db.execute("COMMIT")


@contextmanager
def opened(path: str, *, write: bool = False) -> Iterator[SqliteStore]:
    """Open a database; for writing in one transaction, undone where anything is raised.

    Raises ConfigError for any fault of SQLite, a lock that stays among them. Inside, root may have
    the rights of somebody else: ``acting.safely``.
    """
    with _connected(path, write=write) as db:
        yield SqliteStore(db)


@contextmanager
def _connected(path: str, *, write: bool) -> Iterator[sqlite3.Connection]:
    with _found(path) as real, closing(schema.connect(real, write=write)) as db:
        try:
            if write:
                db.execute("BEGIN IMMEDIATE")
            yield db
            if db.in_transaction:
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise faults.fault(error, path, "nothing was done", write=write) from None
        # to close it undoes what was not committed


@contextmanager
def _found(path: str) -> Iterator[str]:
    """Yield the real path of a database, for SQLite. Raises ConfigError, OSError."""
    with ExitStack() as stack:
        try:
            real = stack.enter_context(acting.safely(path))
        except (FileNotFoundError, NotADirectoryError):
            raise schema.missing(path) from None
        yield real


@contextmanager
def temporary() -> Iterator[SqliteStore]:
    """Make an empty database of the schema in a transaction; it has no name, and goes away.

    SQLite opens files by their names, and others may exchange a file under it. So a new database is
    filled in a temporary one (https://sqlite.org/inmemorydb.html), and ``image`` has its bytes.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.text_factory = schema.decoded
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -65536")
        db.execute("PRAGMA ignore_check_constraints = ON")  # its maker checks the rows
        db.execute("BEGIN")
        schema.create(db, ())
        yield SqliteStore(db)


def image(store: SqliteStore) -> bytes:
    """Return the file of a temporary database, which takes no more rows then."""
    store.db.execute("COMMIT")
    return store.db.serialize()


@contextmanager
def copied(path: str) -> Iterator[SqliteStore]:
    """Open a copy of a database as it is at one moment. Raises ConfigError, OSError."""
    with closing(sqlite3.connect("", isolation_level=None)) as copy:
        copy.text_factory = schema.decoded
        with _connected(path, write=False) as db:
            db.backup(copy)
        yield SqliteStore(copy)
