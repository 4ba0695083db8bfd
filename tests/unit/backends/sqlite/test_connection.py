"""What a database can do to the process: nothing that takes long, or much memory."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.connection import FAULTS, HEAP, LIMITS, connect, quoted, scratch
from opensmtpd.errors import LocalError, Unavailable
from unit.support.sqlite_files import create, opened, put, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row."""
    return create(tmp_path / "test.db", alice="bob")


@pytest.fixture
def connection(path: Path) -> sqlite3.Connection:
    clock = Clock()
    clock.start(60)
    return connect(str(path), clock)


def test_limits(connection: sqlite3.Connection) -> None:
    assert {limit: connection.getlimit(limit) for limit in LIMITS} == LIMITS
    assert connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) == 4096
    connection.set_authorizer(None)
    for pragma, value in {
        "mmap_size": 0,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "query_only": 1,
    }.items():
        assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_a_schema_is_not_trusted(path: Path) -> None:
    """A view asks no virtual table that can do more than give rows."""
    write(path, "CREATE VIEW evil AS SELECT name AS value FROM pragma_function_list")
    clock = Clock()
    clock.start(60)
    unsafe = pytest.raises(sqlite3.OperationalError, match="unsafe use of virtual table")
    with closing(connect(str(path), clock)) as connection, unsafe:
        connection.execute("SELECT value FROM evil")


def test_the_size_of_cells_is_checked(path: Path) -> None:
    """A cell that reaches beyond its page is an error, even where another one is read."""
    put(path, carol="dave")
    data = bytearray(path.read_bytes())
    page = 4096
    data[page + 10 : page + 12] = (4095).to_bytes(2, "big")  # where the second cell begins
    path.write_bytes(data)
    clock = Clock()
    clock.start(60)
    with closing(connect(str(path), clock)) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("SELECT * FROM rows WHERE rowid = 1").fetchone()


HEAP_LIMIT = """
import sys
from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.connection import connect

clock = Clock()
clock.start(60)
connection = connect(sys.argv[1], clock)
connection.set_authorizer(None)
print(connection.execute("PRAGMA hard_heap_limit").fetchone()[0])
"""


def test_the_limit_of_memory(path: Path) -> None:
    """In a process of its own, for it counts for all of a process."""
    done = subprocess.run(
        [sys.executable, "-c", HEAP_LIMIT, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{HEAP}\n"
    assert HEAP == 25_165_824


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA journal_mode = WAL",
        "PRAGMA query_only = OFF",
        "ATTACH ':memory:' AS other",
        "BEGIN",
        "INSERT INTO rows VALUES (1, 2)",
        "CREATE TEMP TABLE more (x)",
        "VACUUM INTO '/tmp/copy'",
    ],
)
def test_what_is_no_select_is_denied(connection: sqlite3.Connection, sql: str) -> None:
    with pytest.raises(sqlite3.DatabaseError) as caught:
        connection.execute(sql)
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_AUTH


def test_sqlite_opens_no_other_file(path: Path) -> None:
    """Not in WAL mode either, should somebody set it unseen."""
    write(path, "PRAGMA journal_mode = WAL")
    before = sorted(path.parent.iterdir())
    clock = Clock()
    clock.start(60)
    with closing(connect(str(path), clock)) as connection:
        assert connection.execute("SELECT value FROM rows").fetchone() == ("bob",)
        assert sorted(path.parent.iterdir()) == before


def test_others_texts_may_be_long(path: Path) -> None:
    """Cells that are not asked for, and statements of the schema."""
    write(path, "ALTER TABLE rows ADD COLUMN photo", "UPDATE rows SET photo = zeroblob(1000000)")
    write(path, f"CREATE VIEW other AS SELECT {' + '.join(['1'] * 900)} /* {'x' * 60_000} */")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    query.sql = "SELECT photo FROM rows WHERE key = ?"
    with pytest.raises(Unavailable, match="too big; shorten the cells that the query reads"):
        database.row(query, "alice")


def test_a_clock_that_has_run_out(path: Path) -> None:
    write(path, *(f"CREATE TABLE t{number} (x)" for number in range(500)))
    with pytest.raises(FAULTS):
        connect(str(path), Clock())
    clock = Clock()
    clock.start(60)
    with closing(scratch(clock)) as connection:
        clock.start(0)
        with pytest.raises(sqlite3.DatabaseError):
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        clock.start(60)
        assert connection.execute("SELECT 1").fetchone() == (1,)


# --- what somebody may write into a schema --------------------------------------------------------

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'alice' AS key, "


def twice(body: str) -> str:
    """Return views each of which asks the one before it twice: 2**40 times in the end."""
    views = [f"CREATE VIEW v{number} AS {body.format(number - 1)};" for number in range(1, 41)]
    last = "CREATE VIEW evil AS SELECT 'alice' AS key, x AS value FROM v40;"
    return "CREATE VIEW v0 AS SELECT 1 AS x;" + "".join(views) + last


EVIL = {
    "an instruction for seconds": f"CREATE VIEW evil AS {NUMBERS} instr(zeroblob(499999)||x'01'||i,"
    " zeroblob(250000)||x'01'||i) AS value FROM n",
    "the longest that is left": f"CREATE VIEW evil AS {NUMBERS} instr(zeroblob(4000)||x'01'||i,"
    " zeroblob(2000)||x'01'||i) AS value FROM n",
    "big cells": f"CREATE VIEW evil AS {NUMBERS} hex(zeroblob(500000)) AS value FROM n",
    "cells without end": f"CREATE VIEW evil AS {NUMBERS} hex(zeroblob(2000)) AS value FROM n",
    "NULL without end": f"CREATE VIEW evil AS {NUMBERS} NULL AS value FROM n",
    "no row": f"CREATE VIEW evil AS {NUMBERS} i AS value FROM n WHERE i < 0",
    "one row of all": f"CREATE VIEW evil AS {NUMBERS} group_concat(i) AS value FROM n",
    "sorted": f"CREATE VIEW evil AS {NUMBERS} hex(randomblob(900)) AS value FROM n ORDER BY 2",
    "distinct": f"CREATE VIEW evil AS SELECT DISTINCT * FROM ({NUMBERS} hex(randomblob(900))"
    " AS value FROM n) WHERE value <> ''",
    "a window": f"CREATE VIEW evil AS {NUMBERS} sum(i) OVER (ORDER BY -i) AS value FROM n",
    "columns": f"CREATE VIEW evil AS {NUMBERS} i AS value, "
    + ", ".join(["hex(zeroblob(2000))"] * 1900)
    + " FROM n",
    "views of views": twice("SELECT x FROM v{0} UNION ALL SELECT x FROM v{0}"),
    "scalars of views": twice("SELECT (SELECT x FROM v{0}) + (SELECT x FROM v{0}) AS x"),
    "a list": "CREATE TABLE t (key, value); CREATE VIEW evil AS SELECT * FROM t WHERE key IN ("
    + ",".join(f"'{number}'" for number in range(50_000))
    + ")",
    "a column": "CREATE TABLE evil"
    " (key, value AS (instr(zeroblob(4000)||key, zeroblob(2000)||key)));"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
    " INSERT INTO evil SELECT 'alice' FROM n",
    "constraints": "CREATE VIEW evil AS SELECT 1; CREATE TABLE other (x);"
    " PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = 'CREATE TABLE other ("
    + ",".join(f"c{number}" for number in range(300))
    + "".join(f",UNIQUE(c{one},c{two})" for one in range(300) for two in range(180) if one != two)
    + ")' WHERE name = 'other'",
    "a pragma": "CREATE VIEW evil AS SELECT 'alice' AS key, name AS value"
    " FROM pragma_function_list",
    "no UTF-8": "CREATE VIEW evil AS SELECT 1; PRAGMA writable_schema = 1; UPDATE sqlite_master SET"
    " sql = CAST(x'435245415445205649455720ff20ff20ff' AS TEXT) WHERE name = 'evil'",
}
ASKED = """
import sys
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.errors import LocalError

read = config.read(sys.argv[1])
for key, statement in read.statements.items():
    database = Database(read)
    asked = [lambda: database.all_rows(statement)]
    if key.startswith("query_"):
        methods = (database.row, database.rows)
        asked = [lambda method=method: method(statement, "alice") for method in methods]
    for ask in asked:
        try:
            ask()
        except LocalError:
            pass
    database.close()
status = dict(line.split(":") for line in open("/proc/self/status"))
sys.exit(int(status["VmHWM"].split()[0]) > 250_000)
"""


@pytest.mark.parametrize("script", EVIL.values(), ids=EVIL)
def test_evil_schemas(path: Path, script: str) -> None:
    """Each ends soon, and no process becomes large: 2 GB is what it was without limits."""
    with closing(sqlite3.connect(path)) as writer:
        writer.executescript(script)
    _, query = opened(
        path,
        "query_domain SELECT value FROM evil WHERE key = ?",
        "query_string SELECT * FROM evil WHERE key = ?",
        "fetch_source SELECT value FROM evil",
    )
    assert query.sql
    command = [sys.executable, "-c", ASKED, str(path.with_suffix(".conf"))]
    process = subprocess.Popen(command)
    try:
        assert process.wait(90) == 0
    finally:
        process.kill()


def test_afterwards_all_is_well(path: Path) -> None:
    database, query = opened(path, f"query_domain {NUMBERS} i FROM n WHERE ? < 0")
    evil = database.config.statements["query_domain"]
    evil.sql = f"SELECT value FROM ({NUMBERS} i AS value FROM n WHERE i < 0) WHERE key = ?"
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            database.row(evil, "alice")
        assert str(caught.value) == (
            f"{path}: query_domain: it takes longer than 0.5 s; an index may help"
        )
        assert database.row(query, "alice") == ("bob",)


# --- rows -----------------------------------------------------------------------------------------


def test_no_more_rows_are_read_than_smtpd_takes(path: Path) -> None:
    """The last of them makes the value too long, so that it is an error, and not cut."""
    database, query = opened(path)
    put(path, **{"key": "x" * 1000})
    for _ in range(9):
        write(path, "INSERT INTO rows SELECT * FROM rows WHERE key = 'key' LIMIT 1")
    assert database.rows(query, "key") == [("x" * 1000,)] * 3
    write(
        path,
        "DELETE FROM rows WHERE key = 'key'",
        f"INSERT INTO rows VALUES ('key', '{'x' * 2047}')",
    )
    assert database.rows(query, "key") == [("x" * 2047,)]
    write(path, "INSERT INTO rows VALUES ('key', 'y')", "INSERT INTO rows VALUES ('key', 'z')")
    assert database.rows(query, "key") == [("x" * 2047,), ("y",)]


def test_rows_without_end_are_an_error_where_all_are_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, _ = opened(path, "fetch_source SELECT value FROM rows")
    fetch = database.config.statements["fetch_source"]
    monkeypatch.setattr("opensmtpd.backends.sqlite.database.LOAD_MAX", 10 * (64 + 4))
    put(path, **{f"key{number}": "four" for number in range(9)})
    assert len(database.all_rows(fetch)) == 10
    put(path, more="four")
    with pytest.raises(LocalError) as caught:
        database.all_rows(fetch)
    assert str(caught.value).startswith(f"{path}: fetch_source gives more than ")


def test_what_counts_is_the_memory_of_a_row(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One character that is no ASCII makes all of a text four times as large."""
    database, _ = opened(path, "fetch_source SELECT value FROM rows")
    fetch = database.config.statements["fetch_source"]
    monkeypatch.setattr("opensmtpd.backends.sqlite.database.LOAD_MAX", 12_000)
    put(path, more="x" * 4000, most="x" * 4000)
    assert len(database.all_rows(fetch)) == 3
    write(path, "DELETE FROM rows")
    put(path, wide="x" * 3000 + "\N{GRINNING FACE}")
    with pytest.raises(LocalError, match="fetch_source gives more than"):
        database.all_rows(fetch)


def test_many_rows_of_patterns_are_none_too_many(path: Path) -> None:
    """100,000 networks are an honest list."""
    database, _ = opened(path, "fetch_source SELECT value FROM rows")
    put(
        path, **{f"{number}": f"10.{number // 256}.{number % 256}.0/24" for number in range(99_999)}
    )
    assert len(database.all_rows(database.config.statements["fetch_source"])) == 100_000


@given(st.binary())
@example(b"/a b%41?mode=rw#x\xff~")
def test_a_path_is_quoted_as_urllib_does_it(path: bytes) -> None:
    assert quoted(os.fsdecode(path)) == quote(path)
