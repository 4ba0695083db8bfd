"""A database that others lock, change, replace and break, and the queries asked of it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.sqlite import config
from opensmtpd.sqlite.database import Database, Unavailable
from unit.handlers import explode
from unit.sqlite.files import (
    NEEDS_PROC,
    create,
    descriptors,
    locked,
    opened,
    put,
    settings,
    write,
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


# --- queries --------------------------------------------------------------------------------------


def test_rows(path: Path) -> None:
    put(path, carol="dave", alice="eve")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    assert database.row(query, "nobody") is None
    assert database.rows(query, "alice") == [("bob",), ("eve",)]
    assert database.rows(query, "nobody") == []
    assert database.opened == 1


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT value FROM rows WHERE key = ?", ("bob",)),
        ("SELECT value FROM rows WHERE key = ?1", ("bob",)),
        ("SELECT value FROM rows WHERE ?1 = key AND ?1 <> value", ("bob",)),
        ("SELECT value FROM rows WHERE key = ?3", ("bob",)),
        ("SELECT value FROM rows WHERE key = ? OR value = ?", ("bob",)),
        ("SELECT value FROM rows WHERE key = ? AND '?' <> key -- ?", ("bob",)),
        ("SELECT value FROM rows WHERE key = :key", ("bob",)),
        ("SELECT value FROM rows WHERE key = @key OR key = $key", ("bob",)),
        ("SELECT value FROM rows", ("bob",)),
        ("SELECT value FROM rows WHERE key = ?;", ("bob",)),
        ("SELECT value FROM rows WHERE key = ? ; -- done", ("bob",)),
        ("SELECT value FROM rows WHERE key = ? /* done */", ("bob",)),
        ("VALUES (?)", ("alice",)),
        ("WITH found(v) AS (SELECT value FROM rows WHERE key = ?) SELECT v FROM found", ("bob",)),
        ("SELECT value FROM rows WHERE key = ? UNION SELECT ? ORDER BY 1 DESC", ("bob",)),
        ("SELECT " + " || ".join(["substr(?, 1, 1)"] * 32), ("a" * 32,)),
    ],
)
def test_the_key_stands_wherever_there_is_a_parameter(
    path: Path, sql: str, row: tuple[str]
) -> None:
    database = checked(path, f"query_alias {sql}")
    assert database.row(database.config.statements["query_alias"], "alice") == row


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("query_alias SELEC value FROM rows", "query_alias: "),
        ("query_alias SELECT value FROM rows WHERE", "query_alias: incomplete input"),
        ("query_alias SELECT value FROM nowhere", "query_alias: no such table: nowhere"),
        ("query_alias SELECT bogus FROM rows", "query_alias: no such column: bogus"),
        ("query_alias SELECT f(value) FROM rows", "query_alias: no such function: f"),
        (
            "query_alias SELECT key, value FROM rows",
            "query_alias: it gives 2 columns and should give 1",
        ),
        ("query_alias SELECT * FROM rows", "query_alias: it gives 2 columns and should give 1"),
        (
            "query_credentials SELECT value FROM rows WHERE key = ?",
            "query_credentials: it gives 1 columns and should give 2",
        ),
        (
            "query_userinfo SELECT key, value FROM rows WHERE key = ?",
            "query_userinfo: it gives 2 columns and should give 3",
        ),
        ("query_alias -- SELECT", "query_alias: "),
        ("query_alias ;", "query_alias: "),
        ("query_alias BEGIN", "query_alias: it gives 0 columns and should give 1"),
        (
            "fetch_source SELECT value FROM rows WHERE key = ?",
            "fetch_source: there is a '?', and nothing to put there",
        ),
        (
            "patterns_domain SELECT value FROM rows WHERE key = ?",
            "patterns_domain: there is a '?', and nothing to put there",
        ),
        (
            "query_alias SELECT " + " || ".join(["?"] * 33),
            "query_alias: it has more than 32 parameters",
        ),
        (
            "query_alias SELECT 1; SELECT 2",
            "query_alias: You can only execute one statement at a time.",
        ),
        (
            "query_alias SELECT 1; DROP TABLE rows",
            "query_alias: You can only execute one statement at a time.",
        ),
    ],
)
def test_statements_that_are_no_good(path: Path, line: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(path, line)
    assert str(caught.value).startswith(f"{path.with_suffix('.conf')}:3: {reason}")
    database, query = opened(path)
    assert database.rows(query, "alice") == [("bob",)]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM rows WHERE key = ? RETURNING value",
        "INSERT INTO rows VALUES (?, 'x') RETURNING value",
        "UPDATE rows SET value = ? RETURNING value",
        "DROP TABLE rows",
        "VACUUM",
    ],
)
def test_statements_that_write_are_no_good_and_do_not(path: Path, sql: str) -> None:
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        checked(path, f"query_alias {sql}")
    assert str(caught.value).startswith(f"{path.with_suffix('.conf')}:3: query_alias: ")
    database, query = opened(path)
    query.sql = sql
    with pytest.raises(LocalError):
        database.row(query, "alice")
    assert path.read_bytes() == before


def test_checking_a_query_does_not_run_it(path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    checked(path, f"query_alias {endless} WHERE i < 0 AND i <> ?")


@pytest.mark.parametrize(
    "key", ["a|b", "'; DROP TABLE rows; --", "%", "caf\xe9", "", "x" * 1023, "\n", "\U0001f600"]
)
def test_keys_are_bound_and_never_part_of_the_statement(path: Path, key: str) -> None:
    put(path, **{key: f"<{key}>"})
    database, query = opened(path)
    assert database.rows(query, key) == [(f"<{key}>",)]
    assert database.row(query, "alice") == ("bob",)


def test_keys_that_are_no_text_equal_none_and_do_no_harm(path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "\udcff") is None
    assert database.row(query, "alice\udc80") is None
    put(path, **{"\xff": "y"})
    assert database.row(query, "\udcff") is None


def test_cells_of_each_type(path: Path) -> None:
    write(path, "INSERT INTO rows VALUES ('types', NULL), ('types', 7), ('types', 1.5)")
    write(path, "INSERT INTO rows VALUES ('types', X'ff00'), ('types', CAST(X'ff61' AS TEXT))")
    database, query = opened(path)
    assert database.rows(query, "types") == [(None,), (7,), (1.5,), (b"\xff\0",), ("\udcffa",)]


# --- files that are not there, or not what they should be -----------------------------------------


def test_a_file_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    database, query = opened(path)
    acts: list[Callable[[], object]] = [
        lambda: database.row(query, "alice"),
        database.check,
        database.version,
    ]
    for act in acts:
        with pytest.raises(Unavailable) as caught:
            act()
        assert str(caught.value) == f"{path}: No such file or directory"
    assert not path.exists()
    create(path, alice="bob")
    database.check()
    assert database.row(query, "alice") == ("bob",)


def test_a_file_that_is_removed(path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    path.unlink()
    with pytest.raises(Unavailable, match="No such file or directory"):
        database.row(query, "alice")
    assert not path.exists()
    create(path, alice="another")
    assert database.row(query, "alice") == ("another",)


def test_a_file_that_is_replaced(path: Path, tmp_path: Path) -> None:
    database, query = opened(path)
    for number in range(3):
        assert database.rows(query, "alice") == [("bob" if number == 0 else f"bob {number - 1}",)]
        new = create(tmp_path / "new.db", alice=f"bob {number}")
        new.rename(path)
    assert database.row(query, "alice") == ("bob 2",)


@NEEDS_PROC
def test_replaced_files_are_closed(path: Path, tmp_path: Path) -> None:
    database, query = opened(path)
    for _ in range(5):
        database.row(query, "alice")
        create(tmp_path / "new.db", alice="x").rename(path)
    database.row(query, "alice")
    assert descriptors(path) == 1
    path.unlink()
    with pytest.raises(Unavailable):
        database.row(query, "alice")
    assert descriptors(path) == 0


def test_overwritten_in_place(path: Path, tmp_path: Path) -> None:
    """``cp new.db test.db``, where both were made alike: SQLite's own counters are the same."""
    new = create(tmp_path / "new.db", alice="eve")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    assert path.stat().st_size == new.stat().st_size
    shutil.copyfile(new, path)
    assert database.row(query, "alice") == ("eve",)
    assert database.row(query, "alice") == ("eve",)


def big(path: Path) -> None:
    put(path, **{f"key{number}": "x" * 500 for number in range(500)})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: os.truncate(path, 0),
        lambda path: os.truncate(path, 100),
        lambda path: os.truncate(path, 5000),
        lambda path: path.write_bytes(b"no database at all" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 300_000),
        lambda path: path.write_bytes(b"\0" * 10_000),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to(path)),
    ],
    ids=["empty", "a bit", "half", "text", "pages", "zeros", "directory", "loop"],
)
def test_a_file_that_is_spoilt_is_an_error_until_it_is_mended(
    path: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    big(path)
    shutil.copyfile(path, tmp_path / "good.db")
    database, query = opened(path)
    assert database.row(query, "key499") == ("x" * 500,)
    spoil(path)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            database.row(query, "key499")
        assert str(caught.value).startswith(f"{path}: ")
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    (tmp_path / "good.db").replace(path)
    assert database.row(query, "key499") == ("x" * 500,)


@pytest.mark.parametrize(
    "name", ["a b", "a?mode=rwc", "a#b", "%61", "caf\xe9", "\udce9", ":memory:"]
)
def test_a_path_of_any_bytes(tmp_path: Path, name: str) -> None:
    path = create(tmp_path / f"{name}.db", alice="bob")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)


def test_a_relative_path_is_that_of_the_start(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database, query = opened(Path("test.db"))
    assert database.row(query, "alice") == ("bob",)


# --- others who write -----------------------------------------------------------------------------


@pytest.mark.parametrize("journal", ["DELETE", "WAL", "TRUNCATE"])
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
        database.rows(query)  # a parameter, and nothing to put there
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
    count = Database._count

    def changed(self: Database, statement: config.Statement) -> int:
        put(path, carol="dave")
        return count(self, statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_count", changed)
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
    big(path)
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


def test_in_a_snapshot_nothing_changes(path: Path) -> None:
    write(path, "PRAGMA journal_mode = WAL")
    database, query = opened(path)
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
        write(path, "UPDATE rows SET value = 'eve'")
        assert database.row(query, "alice") == ("bob",)
        assert database.rows(query, "alice") == [("bob",)]
    assert database.row(query, "alice") == ("eve",)


def is_free(path: Path) -> bool:
    try:
        write(path, "CREATE TABLE free (x)", "DROP TABLE free")
    except sqlite3.OperationalError as error:
        assert str(error) == "database is locked"  # noqa: PT017  or else something is wrong
        return False
    return True


def test_the_lock_of_a_snapshot_is_gone_with_it(path: Path) -> None:
    database, query = opened(path)
    with database.snapshot():
        database.row(query, "alice")
        assert not is_free(path)
    assert is_free(path)


@pytest.mark.parametrize("error", [KeyError(), SystemExit()])
def test_also_when_something_is_raised(path: Path, error: BaseException) -> None:
    database, query = opened(path)
    with pytest.raises(type(error)), database.snapshot():
        explode(error)
    assert is_free(path)
    assert database.row(query, "alice") == ("bob",)


def test_also_when_a_query_fails(path: Path) -> None:
    database, query = opened(path)
    bad = config.Statement("query_domain", "SELECT nothing FROM rows", 1, 0)
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
        with pytest.raises(Unavailable):
            database.row(bad, "alice")
        assert database.row(query, "alice") == ("bob",)
    assert is_free(path)
    with database.snapshot():
        assert database.row(query, "alice") == ("bob",)
    assert is_free(path)


def test_a_snapshot_within_a_snapshot(path: Path) -> None:
    write(path, "PRAGMA journal_mode = WAL")
    database, query = opened(path)
    with database.snapshot():
        with database.snapshot():
            assert database.row(query, "alice") == ("bob",)
        write(path, "UPDATE rows SET value = 'eve'")
        assert database.row(query, "alice") == ("bob",)
    assert database.row(query, "alice") == ("eve",)


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
    with database.snapshot():
        with locked(path), pytest.raises(Unavailable):
            database.row(query, "alice")
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
