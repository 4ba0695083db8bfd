"""Statements that give the same for the same database, and those that may not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.connection import connect
from opensmtpd.backends.sqlite.steady import FUNCTIONS, TABLES_MAX, Uses, is_steady
from unit.support.sqlite_files import create, write

SCHEMA = [
    "CREATE TABLE others (key, value, low GENERATED ALWAYS AS (lower(key)) VIRTUAL)",
    "CREATE VIEW plain AS SELECT key, upper(value) AS value FROM rows",
    "CREATE VIEW above AS SELECT key, value FROM plain",
    "CREATE VIEW dice AS SELECT key, random() AS value FROM rows",
    "CREATE VIEW more_dice AS SELECT key, value FROM dice",
    "CREATE VIEW lists AS SELECT value AS key FROM json_each('[1]')",
    "CREATE VIRTUAL TABLE words USING fts5(key, value)",
    "CREATE INDEX json_each ON rows (key)",  # no table, for all its name
]


@pytest.fixture
def judge(tmp_path: Path) -> Iterator["Judge"]:
    """What judges statements, on a database with all kinds of tables."""
    path = create(tmp_path / "test.db", alice="bob")
    write(path, *SCHEMA)
    clock, uses = Clock(), Uses()
    clock.start(60)
    with closing(connect(str(path), clock, uses.note)) as connection:
        yield Judge(connection, uses)


class Judge:
    def __init__(self, connection: sqlite3.Connection, uses: Uses) -> None:
        self.connection, self.uses = connection, uses

    def steady(self, sql: str, *arguments: str) -> bool:
        return is_steady(sql, arguments, self.uses, self.connection.execute)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT value FROM rows WHERE key = ?",
        "SELECT value FROM ROWS AS r WHERE lower(key) = ? COLLATE nocase",
        "SELECT value FROM rows WHERE key LIKE ? ORDER BY rowid LIMIT 1",
        "SELECT group_concat(value, ', ') FROM rows WHERE key = ?",
        "SELECT coalesce(a.value, b.value) FROM rows a LEFT JOIN others b USING (key) WHERE ?",
        "SELECT low FROM others WHERE key = ?",
        "SELECT value FROM plain WHERE key = ?",
        "SELECT value FROM above WHERE key = ?",
        "SELECT count(*) FROM rows WHERE key IN (SELECT key FROM others) AND key = ?",
        "SELECT 1 FROM rows WHERE ? <> ''",
        "SELECT 'v' WHERE ? <> ''",
        "WITH n(i) AS (SELECT key FROM rows UNION ALL SELECT i FROM n) SELECT i FROM n WHERE i = ?",
        "SELECT value -- random()\nFROM rows WHERE key = ? /* datetime('now') */",
        "SELECT substr(value, instr(value, '@') + 1) FROM rows WHERE key = ?;",
    ],
)
def test_steady(judge: "Judge", sql: str) -> None:
    assert judge.steady(sql, "alice")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT value FROM rows WHERE key = ? AND random() > 0",
        "SELECT hex(randomblob(4)) FROM rows WHERE key = ?",
        "SELECT value FROM rows WHERE key = ? ORDER BY RANDOM()",
        "SELECT value FROM rows WHERE key = ? AND value < datetime('now')",
        "SELECT value FROM rows WHERE key = ? AND value < CURRENT_TIMESTAMP",
        "SELECT value FROM rows WHERE key = ? AND value < strftime('%s')",
        "SELECT value FROM rows WHERE key = ? AND value < unixepoch('now')",
        "SELECT value FROM rows WHERE key = ? AND value < julianday()",
        "SELECT sqlite_version() FROM rows WHERE key = ?",
        "SELECT changes() FROM rows WHERE key = ?",
        "SELECT value FROM dice WHERE key = ?",
        "SELECT value FROM more_dice WHERE key = ?",
        "SELECT 1 FROM more_dice WHERE key = ?",
        "SELECT value FROM rows WHERE key IN (SELECT key FROM dice WHERE value > ?)",
        "SELECT name FROM sqlite_master WHERE name = ?",
    ],
)
def test_not_steady(judge: "Judge", sql: str) -> None:
    assert not judge.steady(sql, "alice")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT value FROM json_each(?)",
        "SELECT key FROM lists WHERE key = ?",
        "SELECT value FROM words WHERE key = ?",
        "SELECT 1 FROM words WHERE ?",
        "SELECT name FROM pragma_table_list WHERE name = ?",
    ],
)
def test_virtual_tables_are_not_steady(judge: "Judge", sql: str) -> None:
    """Those that need more than a SELECT to be prepared give no answer at all."""
    with suppress(sqlite3.DatabaseError):
        assert not judge.steady(sql, "alice")


def test_a_statement_that_has_been_prepared_already_tells_nothing(judge: "Judge") -> None:
    sql = "SELECT value FROM rows WHERE key = ?"
    assert judge.steady(sql, "alice")
    assert not judge.steady(sql, "alice")


def test_what_was_noted_before_does_not_count(judge: "Judge") -> None:
    judge.connection.execute("SELECT random() FROM dice").close()
    assert judge.steady("SELECT value FROM rows WHERE key = ?", "alice")


def test_a_statement_of_many_tables(judge: "Judge", tmp_path: Path) -> None:
    path = create(tmp_path / "many.db")
    write(path, *(f"CREATE TABLE t{number} (key)" for number in range(TABLES_MAX + 1)))
    parts = [f"SELECT key FROM t{number}" for number in range(TABLES_MAX + 1)]
    clock, uses = Clock(), Uses()
    clock.start(60)
    with closing(connect(str(path), clock, uses.note)) as connection:
        assert is_steady(" UNION ".join(parts[1:]), (), uses, connection.execute)
        assert not is_steady(" UNION ".join(parts), (), uses, connection.execute)


def test_the_functions_of_the_list_are_not_those_of_dice_and_clocks(judge: "Judge") -> None:
    """SQLite marks those that depend on more, but for the ones of date and time."""
    judge.connection.set_authorizer(None)
    flags = judge.connection.execute("SELECT name, flags FROM pragma_function_list").fetchall()
    dice = {name for name, flag in flags if not flag & 0x800}
    assert {"random", "randomblob", "changes"} <= dice
    groups = {"count", "min", "max", "sum", "total", "avg", "group_concat", "string_agg"}
    assert FUNCTIONS & dice <= groups  # without the mark, because they take many rows
    times = {"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"}
    assert not FUNCTIONS & times
