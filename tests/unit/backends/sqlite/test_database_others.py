"""A database that others lock, change and look at."""

import subprocess
import sys
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import pytest

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.backends.sqlite.file import DatabaseFile
from opensmtpd.backends.sqlite.statements import Arguments
from opensmtpd.errors import HandlerTimeout, Unavailable
from unit.support.handlers import explode
from unit.support.sqlite_files import (
    create,
    fill,
    locked,
    opened,
    put,
    settings,
    write,
    write_elsewhere,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row."""
    return create(tmp_path / "test.db", alice="bob")


def checked(path: Path, line: str) -> Database:
    """Return a database whose configuration has one statement, in line 3."""
    database = Database(config.read(str(settings(path, line))))
    database.check()
    return database


# --- others who write -----------------------------------------------------------------------------


@pytest.mark.parametrize("journal", ["DELETE", "PERSIST", "TRUNCATE"])
def test_what_others_change_is_seen_at_once(path: Path, journal: str) -> None:
    write(path, f"PRAGMA journal_mode = {journal}")
    database, query = opened(path)
    for number in range(5):
        write(path, f"UPDATE rows SET value = 'bob {number}'")
        assert database.rows(query, "alice") == [(f"bob {number}",)]


def test_writers_are_not_locked_out_after_a_row(path: Path) -> None:
    put(path, alice="eve")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    write(path, "DELETE FROM rows WHERE value = 'bob'")
    assert database.row(query, "alice") == ("eve",)
    assert database.rows(query, "alice") == [("eve",)]
    write(path, "DELETE FROM rows")
    with pytest.raises(Unavailable):
        database.all_rows(query)  # a parameter, and nothing to put there
    write(path, "DROP TABLE rows")
    with pytest.raises(Unavailable, match="no such table"):
        database.row(query, "alice")
    write(path, "CREATE TABLE rows (key, value)")
    database.check()
    write(path, "DROP TABLE rows")


def test_a_lock_is_an_error_and_no_more_than_that(path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    with locked(path):
        for act in (lambda: database.row(query, "alice"), lambda: database.rows(query, "alice")):
            with pytest.raises(Unavailable, match="database is locked"):
                act()
    assert database.row(query, "alice") == ("bob",)


def test_a_change_just_before_the_first_query(path: Path) -> None:
    """That query is counted first, and the file is another one then."""

    database, query = opened(path)
    database.row(query, "alice")
    query.parameters = None
    arguments = Database._arguments

    def changed(self: Database, statement: Statement, key: str) -> Arguments:
        put(path, carol="dave")
        return arguments(self, statement, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_arguments", changed)
        assert database.row(query, "alice") == ("bob",)


def test_a_lock_at_start(path: Path) -> None:
    database, query = opened(path)
    with locked(path), pytest.raises(Unavailable, match="database is locked"):
        database.check()
    database.check()
    assert database.row(query, "alice") == ("bob",)


def test_a_short_lock_is_waited_for(path: Path) -> None:
    database, query = opened(path, "busy_timeout 5")
    source = (
        "import sqlite3, sys, time\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE')\n"
        "connection.execute(\"UPDATE rows SET value = 'eve'\")\n"
        "print('locked', flush=True)\n"
        "time.sleep(0.2)\n"
        "connection.execute('COMMIT')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert database.row(query, "alice") == ("eve",)


def test_a_writer_that_crashed_is_an_error_until_the_next_writer(path: Path) -> None:
    fill(path)
    source = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 10')\n"
        "connection.execute('BEGIN')\n"
        "connection.execute(\"UPDATE rows SET value = 'half' || value\")\n"
        "os._exit(0)\n"
    )
    database, query = opened(path)
    subprocess.run([sys.executable, "-c", source, str(path)], check=True)
    assert path.with_name("test.db-journal").exists()
    try:
        assert database.row(query, "key7") == ("x" * 500,)
    except Unavailable:  # we may not mend it: that takes a writer
        write(path, "SELECT 1 FROM rows")
        assert database.row(query, "key7") == ("x" * 500,)


def test_a_schema_that_changes(path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    write(path, "ALTER TABLE rows ADD COLUMN more")
    assert database.row(query, "alice") == ("bob",)
    write(path, "ALTER TABLE rows RENAME COLUMN value TO other")
    with pytest.raises(Unavailable, match="no such column: value"):
        database.row(query, "alice")
    write(path, "ALTER TABLE rows RENAME COLUMN other TO value")
    assert database.row(query, "alice") == ("bob",)


def test_the_version_tells_what_others_did(path: Path, tmp_path: Path) -> None:
    database, query = opened(path)
    seen = [database.version()]
    assert database.version() == seen[0]
    database.row(query, "alice")
    assert database.version() == seen[0]
    for act in (
        lambda: put(path, carol="dave"),
        lambda: create(tmp_path / "new.db").rename(path),
        lambda: put(path, carol="dave"),
    ):
        act()
        assert database.version() not in seen
        seen.append(database.version())


# --- several queries with one look ----------------------------------------------------------------


CHANGE = "UPDATE rows SET value = 'eve'"


def test_in_a_snapshot_nothing_changes(path: Path) -> None:
    database, query = opened(path)
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
        assert write_elsewhere(path, CHANGE) == "database is locked"
        assert database.row(query, "alice") == ("bob",)
        assert database.rows(query, "alice") == [("bob",)]
    assert write_elsewhere(path, CHANGE) == ""
    assert database.row(query, "alice") == ("eve",)


def is_free(path: Path) -> bool:
    error = write_elsewhere(path, "CREATE TABLE free (x)", "DROP TABLE free")
    assert error in ("", "database is locked")
    return not error


def test_the_lock_of_a_snapshot_is_gone_with_it(path: Path) -> None:
    database, query = opened(path)
    with database.snapshot():
        database.row(query, "alice")
        assert not is_free(path)
    assert is_free(path)


@pytest.mark.parametrize("error", [KeyError(), SystemExit(), HandlerTimeout()])
def test_also_when_something_is_raised(path: Path, error: BaseException) -> None:
    database, query = opened(path)
    with pytest.raises(type(error)), database.snapshot():
        explode(error)
    assert is_free(path)
    assert database.row(query, "alice") == ("bob",)


def test_the_watchdog_leaves_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, query = opened(path)
    lock = DatabaseFile.lock

    def struck(self: DatabaseFile) -> None:
        lock(self)
        explode(HandlerTimeout())

    acts: list[Callable[[], object]] = [
        lambda: database.row(query, "alice"),
        lambda: database.snapshot().__enter__(),
    ]
    for act in acts:
        with monkeypatch.context() as patch:
            patch.setattr(DatabaseFile, "lock", struck)
            with pytest.raises(HandlerTimeout):
                act()
        assert is_free(path)
    assert database.row(query, "alice") == ("bob",)


def test_also_when_a_query_fails(path: Path) -> None:
    database, query = opened(path)
    bad = Statement("query_domain", "SELECT nothing FROM rows", 1)
    bad.parameters = 0
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
        with pytest.raises(Unavailable):
            database.row(bad, "alice")
        assert database.row(query, "alice") == ("bob",)
    assert is_free(path)
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
    assert is_free(path)


def test_slow_queries_of_a_snapshot_share_their_time(path: Path) -> None:
    """Each takes some 10 ms, and a domain of many labels asks for 500."""
    count = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
    write(path, f"CREATE VIEW slow AS SELECT key, {count} SELECT max(i) FROM n) AS value FROM rows")
    database, query = opened(path)
    query.sql = "SELECT value FROM slow WHERE key = ?"
    assert database.row(query, "alice") == (100_000,)
    with database.snapshot(), pytest.raises(Unavailable, match=r"it takes longer than 0\.5 s"):
        list(map(database.row, repeat(query, 500), repeat("alice")))
    assert database.row(query, "alice") == (100_000,)


def test_a_snapshot_within_a_snapshot(path: Path) -> None:
    database, query = opened(path)
    with database.snapshot():
        with database.snapshot():
            assert database.row(query, "alice") == ("bob",)
        assert not is_free(path)
        assert database.row(query, "alice") == ("bob",)
    assert is_free(path)


def test_a_snapshot_of_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    database, query = opened(path)
    with database.snapshot():
        with pytest.raises(Unavailable):
            database.row(query, "alice")
        create(path, alice="bob")
        assert database.row(query, "alice") == ("bob",)
    assert is_free(path)


def test_a_database_that_is_locked_when_a_snapshot_begins(path: Path) -> None:
    database, query = opened(path)
    with locked(path), database.snapshot(), pytest.raises(Unavailable):
        database.row(query, "alice")
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
    assert is_free(path)


def test_a_file_that_is_replaced_within_a_snapshot(path: Path, tmp_path: Path) -> None:
    database, query = opened(path)
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
        create(tmp_path / "new.db", alice="eve").rename(path)
        assert database.row(query, "alice") == ("bob",)
    assert database.row(query, "alice") == ("eve",)
    assert is_free(path)
