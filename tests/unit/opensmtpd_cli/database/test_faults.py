"""Errors of SQLite: where, as whom, and what to do."""

import os
import sqlite3
from pathlib import Path

import pytest

from opensmtpd_cli.database import faults
from opensmtpd_cli.system import denied


def error(code: int, text: str = "words of SQLite") -> sqlite3.Error:
    found = sqlite3.OperationalError(text)
    found.sqlite_errorcode = code
    return found


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (sqlite3.SQLITE_BUSY, "another program is using it; try again, or stop what uses it"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "another program is using it; try again, or stop what"),
        (sqlite3.SQLITE_LOCKED, "another program is using it; try again, or stop what uses it"),
        (sqlite3.SQLITE_CORRUPT, "the database is damaged; put a copy in its place"),
        (sqlite3.SQLITE_FULL, "its disk is full; make room there"),
        (sqlite3.SQLITE_IOERR_READ, "its disk fails; see the system's log"),
        (sqlite3.SQLITE_ERROR, "words of SQLite"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "words of SQLite; see that nobody replaces it"),
    ],
)
def test_codes(tmp_path: Path, code: int, wanted: str) -> None:
    path = str(tmp_path / "db")
    assert str(faults.fault(error(code), path)).startswith(f"{path}: {wanted}")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY])
@pytest.mark.parametrize(("write", "verb"), [(True, "change"), (False, "read")])
def test_what_the_user_lacks(
    monkeypatch: pytest.MonkeyPatch, code: int, write: bool, verb: str
) -> None:
    monkeypatch.setattr(denied, "lacking", lambda path, write: f"let him have {path}, {write}")
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    said = faults.fault(error(code), "/db", "nothing was done", write=write)
    assert str(said) == (
        f"/db: nothing was done: user nobody cannot {verb} it; let him have /db, {write}"
    )


def test_an_error_without_a_code() -> None:
    assert str(faults.fault(sqlite3.ProgrammingError("odd"), "/db")) == "/db: odd"
