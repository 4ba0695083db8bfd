"""Errors of SQLite as one line that says where, as whom, and what to do."""

import os
import sqlite3

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import denied
from opensmtpd_cli.system.users import name_of

_FAULTS = {
    sqlite3.SQLITE_BUSY: ("another program is using it", "try again, or stop what uses it"),
    sqlite3.SQLITE_LOCKED: ("another program is using it", "try again, or stop what uses it"),
    sqlite3.SQLITE_NOTADB: ("is no SQLite database", "give one that import has written"),
    sqlite3.SQLITE_CORRUPT: ("the database is damaged", "put a copy in its place"),
    sqlite3.SQLITE_FULL: ("its disk is full", "make room there"),
    sqlite3.SQLITE_IOERR: ("its disk fails", "see the system's log"),
}
_DENIED = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)


def fault(error: sqlite3.Error, path: str, done: str = "", *, write: bool = True) -> ConfigError:
    """Return the error to raise in place of one of SQLite's.

    ``done`` says what became of the work, as "nothing was done". Must be called as the user whose
    rights were missing.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # no extended ones
    text, remedy = _FAULTS.get(code, (str(error), ""))
    if code in _DENIED:
        lacking = denied.lacking(path, write=write)
        if lacking:
            text = f"{name_of(os.geteuid())} cannot {'change' if write else 'read'} it"
        remedy = lacking or "see that nobody replaces it meanwhile, and try again"
    return ConfigError(f"{done}: {text}" if done else text, path=path, remedy=remedy)
