"""The database that ``import --force`` replaces: nobody writes to it meanwhile."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import acting

LEFT = "stop what uses it, then run PRAGMA journal_mode=DELETE on it with sqlite3(1)"
WAIT = 5.0
"""Seconds that a user of the old database has to end."""


def refuse_left(database: str) -> None:
    """Raise ConfigError for a journal beside a database: SQLite would play it into a new one."""
    for suffix in ("-journal", "-wal", "-shm"):
        if os.path.lexists(database + suffix):
            reason = "belongs to a database of this name that is in use or was left broken"
            raise ConfigError(reason, path=database + suffix, remedy=LEFT)


@contextmanager
def locked(database: str) -> Iterator[None]:
    """Lock an old database, if there is one. Raises ConfigError where that cannot be.

    So it has no journal when another takes its place. A process that has the old one open then, and
    writes later, is stopped by SQLite, which sees that the file is not there any more
    (SQLITE_READONLY_DBMOVED). Nothing may open the file meanwhile in this process: the lock would
    be lost when that is closed (fcntl(2)).
    """
    if not os.path.lexists(database) or not os.path.getsize(database):
        refuse_left(database)
        yield  # SQLite would begin an empty one, with a journal
        return
    with closing(_exclusive(database)):
        refuse_left(database)
        yield


def _exclusive(database: str) -> sqlite3.Connection:
    """Return a connection that nobody else has beside it. Raises ConfigError."""
    with acting.safely(database) as real:
        db = None
        try:
            uri = Path(real).as_uri() + "?mode=rw"
            db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT)
            db.execute("PRAGMA journal_mode = DELETE")  # no write-ahead log, which others can read
            db.execute("BEGIN EXCLUSIVE")
        except BaseException as error:
            if db is not None:
                db.close()
            if isinstance(error, sqlite3.Error):
                raise _refused(database, error) from None
            raise
        return db


def _refused(database: str, error: sqlite3.Error) -> ConfigError:
    code = error.sqlite_errorcode & 0xFF  # without what an extended code adds
    if code == sqlite3.SQLITE_BUSY:
        return ConfigError("is in use", path=database, remedy="stop what uses it, or try again")
    remedy = "remove it, or choose another place"
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigError(
            "is no SQLite database, and is not replaced", path=database, remedy=remedy
        )
    return ConfigError(f"cannot be locked: {error}", path=database, remedy=remedy)
