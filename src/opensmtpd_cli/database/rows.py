"""Rows of the database that ``schema`` describes: one transaction each, or nothing at all."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from opensmtpd.errors import ConfigError, did_you_mean
from opensmtpd.table import Service
from opensmtpd_cli.database import faults, schema
from opensmtpd_cli.database.schema import CatalogueEntry, encoded, identifier
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import acting

Cell = str | int


@contextmanager
def opened(path: str, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a database; for writing in one transaction, undone where anything is raised.

    Raises ConfigError for any fault of SQLite, a lock that stays among them. Inside, root may have
    the rights of somebody else: ``acting.safely``.
    """
    with _found(path) as real, closing(schema.connect(real, write=write)) as db:
        try:
            if write:
                db.execute("BEGIN IMMEDIATE")
            yield db
            if write:
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


def copied(path: str) -> sqlite3.Connection:
    """Return a copy of a database as it is at one moment. Raises ConfigError, OSError."""
    copy = sqlite3.connect("", isolation_level=None)
    copy.text_factory = schema.decoded
    try:
        with opened(path) as db:
            db.backup(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def having(db: sqlite3.Connection, service: Service, kind: RowKind) -> list[CatalogueEntry]:
    """Return the tables of a service, with rows of this kind."""
    return [
        entry for entry in schema.entries(db) if entry.kind is kind and service in entry.services
    ]


def chosen(
    db: sqlite3.Connection, service: Service, kind: RowKind, name: str | None
) -> CatalogueEntry | None:
    """Return the table called ``name``, or the one of a service; None where there is none.

    Raises ConfigError for a name that does not fit, and for a choice that has to be made.
    """
    if name is not None:
        for entry in schema.entries(db):
            if entry.name == name and entry.kind is kind:
                return entry
        fit = [entry.name for entry in schema.entries(db) if entry.kind is kind]
        fault = f"there is no table {name} with rows of the kind {kind}"
        raise ConfigError(f"{fault}{did_you_mean(name, fit)}")
    found = having(db, service, kind)
    if len(found) > 1:
        names = ", ".join(entry.name for entry in found)
        raise ConfigError(
            f"more than one table has the service {service}: {names}", remedy="choose with --table"
        )
    return found[0] if found else None


def has(db: sqlite3.Connection, entry: CatalogueEntry, key: str) -> bool:
    """Return whether there is a row with this key."""
    query = f"SELECT 1 FROM {identifier(entry.name)} WHERE key = CAST(? AS TEXT)"
    return db.execute(query, (encoded(key),)).fetchone() is not None


def insert(db: sqlite3.Connection, entry: CatalogueEntry, *row: Cell) -> None:
    """Add a row. Raises ConfigError where its key is there already."""
    if has(db, entry, str(row[0])):
        raise ConfigError(f"{row[0]} is in {entry.name} already")
    marks = ", ".join("CAST(? AS TEXT)" if isinstance(cell, str) else "?" for cell in row)
    cells = [encoded(cell) if isinstance(cell, str) else cell for cell in row]
    db.execute(f"INSERT INTO {identifier(entry.name)} VALUES ({marks})", cells)


def set_password(db: sqlite3.Connection, entry: CatalogueEntry, key: str, hash: str) -> bool:
    """Change the hash of a user; return whether there is one."""
    query = f"UPDATE {identifier(entry.name)} SET password = ? WHERE key = CAST(? AS TEXT)"
    return db.execute(query, (hash, encoded(key))).rowcount > 0


def delete(db: sqlite3.Connection, entry: CatalogueEntry, key: str) -> bool:
    """Remove a row; return whether it was there."""
    query = f"DELETE FROM {identifier(entry.name)} WHERE key = CAST(? AS TEXT)"
    return db.execute(query, (encoded(key),)).rowcount > 0


def every(
    db: sqlite3.Connection, entry: CatalogueEntry, *columns: str
) -> Iterator[tuple[Cell, ...]]:
    """Yield these columns of all rows, by key."""
    return db.execute(f"SELECT {', '.join(columns)} FROM {identifier(entry.name)} ORDER BY key")
