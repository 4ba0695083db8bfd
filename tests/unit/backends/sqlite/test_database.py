"""Queries asked of a database."""

from pathlib import Path

import pytest

from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.backends.sqlite.file import DatabaseFile
from opensmtpd.errors import ConfigError, LocalError
from unit.support.sqlite_files import create, opened, put, settings, write


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


@pytest.mark.parametrize("sql", [":key", "@key", "$key OR key = :other"])
def test_named_parameters_as_python_3_14_wants_them(path: Path, sql: str) -> None:
    """There the first attempt to count them tells that they have names."""
    database, query = opened(path)
    query.sql = f"SELECT value FROM rows WHERE key = {sql}"
    query.named = True
    assert database.row(query, "alice") == ("bob",)
    assert database.row(query, "\udcff") is None
    assert database.rows(query, "nobody") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("query_alias SELEC value FROM rows", "query_alias: "),
        ("query_alias SELECT value FROM rows WHERE", "query_alias: incomplete input"),
        ("query_alias SELECT value FROM nowhere", "query_alias: no such table: nowhere"),
        ("query_alias SELECT bogus FROM rows", "query_alias: no such column: bogus"),
        ("query_alias SELECT f(value) FROM rows", "query_alias: no such function: f"),
        (
            "query_alias SELECT key, value FROM rows WHERE key = ?",
            "query_alias: it gives 2 columns and should give 1",
        ),
        (
            "query_alias SELECT * FROM rows WHERE key = ?",
            "query_alias: it gives 2 columns and should give 1",
        ),
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
        ("query_alias BEGIN", "query_alias: it may only SELECT"),
        ("query_alias PRAGMA user_version", "query_alias: it may only SELECT"),
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


def test_the_time_of_a_query_ends_with_that_of_its_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All mail waits for both."""
    given: list[float] = []
    database, query = opened(path, "busy_timeout 5")
    assert database.row(query, "alice") == ("bob",)

    def start(seconds: float, connection: object = None) -> None:
        given.append(seconds)

    monkeypatch.setattr(database._clock, "start", start)
    locks = iter([False, False, True])
    locked = DatabaseFile._locked
    monkeypatch.setattr(DatabaseFile, "_locked", lambda file: next(locks, True) and locked(file))
    assert database.row(query, "alice") == ("bob",)
    assert 0.1 <= given[-1] < 0.5
    assert database.row(query, "alice") == ("bob",)
    assert given[-1] == 0.5
    database._file.waited = 0.45
    assert database._seconds() == 0.1
