"""Statements: what is wrong with each database, and whether they use their key."""

import sqlite3
from pathlib import Path

import pytest

from opensmtpd.backends.sql.config import KEYED as CONSTANTS
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.backends.sqlite.statements import check_alone
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from unit.support.sqlite_files import create, settings

COLUMNS = {"credentials": "key, value", "auth": "key, value", "userinfo": "key, value, value"}
KEYED = [
    "alias",
    "auth",
    "credentials",
    "domain",
    "mailaddr",
    "mailaddrmap",
    "netaddr",
    "regex",
    "string",
]
ANY = [service.value for service in Service if service not in KEYED]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row."""
    return create(tmp_path / "test.db", alice="bob")


def read(path: Path, *lines: str) -> config.Config:
    """Return a configuration; the first of the lines is the third of the file."""
    return config.read(str(settings(path, *lines)))


# --- without a database ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("query_alias SELEC value FROM rows", 'near "SELEC": syntax error'),
        ("query_alias SELECT value FROM rows WHERE", "incomplete input"),
        ("query_alias SELECT 1, 2 WHERE ?", "it gives 2 columns and should give 1"),
        ("query_userinfo SELECT 1, 2", "it gives 2 columns and should give 3"),
        ("query_alias DELETE FROM rows WHERE key = ? RETURNING value", 'near "DELETE"'),
        ("query_alias WITH x AS (SELECT ?) DELETE FROM rows RETURNING value", 'near "DELETE"'),
        ("query_alias INSERT INTO rows VALUES (?, 1) RETURNING value", 'near "INSERT"'),
        ("query_alias PRAGMA journal_mode = WAL", "it may only SELECT"),
        ("query_alias ATTACH '/etc/passwd' AS other", "it may only SELECT"),
        ("query_alias SELECT value FROM rows; DELETE FROM rows", ""),
        ("query_alias -- SELECT", ""),
        ("query_alias ;", ""),
        ("fetch_source SELECT value FROM rows WHERE key = ?", "there is a '?'"),
        ("fetch_source SELECT value FROM rows WHERE key = :key", "there is a '?'"),
        ("patterns_regex SELECT value FROM rows WHERE key = ?1", "there is a '?'"),
    ],
)
def test_what_no_database_makes_good(path: Path, line: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_alone(read(path, line))
    key = line.partition(" ")[0]
    start = f"{path.with_suffix('.conf')}:3: {key}: {reason}"
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    "line",
    [
        "query_alias SELECT value FROM nowhere WHERE key = ?",
        "query_alias SELECT bogus FROM rows WHERE key = ?",
        "query_alias SELECT f(value) FROM rows WHERE key = ?",
        "query_alias SELECT value, key FROM rows WHERE key = ?",
        "query_alias SELECT * FROM rows WHERE key = ?",
        "query_alias SELECT value FROM rows WHERE key = ? /* ; */ ; -- ' done",
        "query_alias SELECT value FROM [a--b] WHERE \"/*\" = ? AND `--` = '/*'",
        "query_alias VALUES (?)",
        "query_alias WITH found(v) AS (SELECT value FROM rows WHERE key = ?) SELECT v FROM found",
        "query_userinfo SELECT 1000, 100, '/home/all'",
        "query_alias SELECT 'v'",  # smtpd starts, and each lookup is an error
        "fetch_source SELECT '?' || value FROM \"a?\" -- ?",
        "fetch_source SELECT value FROM a$b WHERE c <> ':x' /* :y */",
    ],
)
def test_what_a_database_may_make_good(path: Path, line: str) -> None:
    check_alone(read(path, line))


# --- the key --------------------------------------------------------------------------------------


def checked(path: Path, *lines: str) -> None:
    database = Database(read(path, *lines))
    try:
        database.check()
    finally:
        database.close()


@pytest.mark.parametrize("service", KEYED)
@pytest.mark.parametrize(
    "condition",
    [
        "",
        "WHERE key = '?'",
        "WHERE \"key\" <> '?' -- ?",
        "WHERE key = 'alice' /* ? */",
        "WHERE key = '?' AND value = ':key'",
        "WHERE 0 AND key = ?",
    ],
)
def test_queries_that_never_use_their_key(path: Path, service: str, condition: str) -> None:
    sql = f"query_{service} SELECT {COLUMNS.get(service, 'value')} FROM rows {condition}"
    with pytest.raises(ConfigError) as caught:
        checked(path, sql)
    assert str(caught.value) == (
        f"{path.with_suffix('.conf')}:3: query_{service}: it never uses the key, so all keys"
        f" have one answer; put ? where the key belongs, or say 'constant_{service} yes'"
    )
    checked(path, sql, f"constant_{service} yes")
    checked(path, f"constant_{service} no", f"constant_{service} yes", sql)
    for other in ("constant_alias no", f"constant_{service} no"):
        with pytest.raises(ConfigError):
            checked(path, sql, other)


@pytest.mark.parametrize("service", ANY)
def test_services_that_many_want_one_answer_of(path: Path, service: str) -> None:
    checked(path, f"query_{service} SELECT {COLUMNS.get(service, 'value')} FROM rows")


def test_these_are_all_services() -> None:
    assert ANY == ["userinfo", "source", "addrname", "relayhost"]
    assert set(CONSTANTS) == {f"constant_{service}" for service in KEYED}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT value FROM rows WHERE key = ?",
        "SELECT value FROM rows WHERE key = :key",
        "SELECT value FROM rows WHERE key IN (SELECT ?)",
        "SELECT value FROM rows WHERE ? GLOB key",
        "SELECT ? || '@example.org'",
        "SELECT value FROM rows ORDER BY key = ? DESC LIMIT 1",
    ],
)
def test_queries_that_use_it(path: Path, sql: str) -> None:
    checked(path, f"query_alias {sql}")


def test_a_word_that_is_neither_yes_nor_no(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(path, "query_alias SELECT 1", "constant_alias maybe")
    assert str(caught.value) == (
        f"{path.with_suffix('.conf')}:4: bad value for constant_alias:"
        " 'maybe' is neither yes nor no"
    )


def test_a_lookup_of_it_is_an_error_each_time(path: Path) -> None:
    some = read(path, "query_alias SELECT value FROM rows WHERE key <> '?'")
    database = Database(some)
    for _ in range(2):
        for ask in (database.row, database.rows):
            with pytest.raises(ConfigError, match="never uses the key"):
                ask(some.statements["query_alias"], "alice")
    database.close()
    with sqlite3.connect(path, timeout=0) as other:  # nothing is locked
        other.execute("DELETE FROM rows")
    other.close()
