"""The end of a query whose time is up, wherever SQLite is by then."""

import sqlite3
import struct
import subprocess
import sys
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from opensmtpd.backends.sqlite import clock, config
from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.backends.sqlite.statements import check_alone
from unit.support.sqlite_files import create, settings, write

PAGE = 4096
CHILDREN = 300
LEVELS = 10
ASK = """
import sys
import threading
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.errors import Unavailable

read = config.read(sys.argv[1])
try:
    Database(read).row(read.statements["query_domain"], "alice")
except Unavailable as error:
    print(error)
"""


def damage(path: Path, table: str) -> None:
    """Make a tree of pages in which all children of a page are the same page."""
    for number in range(LEVELS):
        write(path, f"CREATE TABLE spare{number} (x)", f"INSERT INTO spare{number} VALUES (1)")
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ? OR name LIKE 'spare%' ORDER BY 1"
        pages = [number for (number,) in connection.execute(query, (table,))]
    data = bytearray(path.read_bytes())
    for page, child in pairwise(pages):
        cells = b"".join(struct.pack(">IB", child, 1) + b"\0" for _ in range(CHILDREN))
        start = PAGE - len(cells)
        head = struct.pack(">BHHHBI", 5, 0, CHILDREN, start, 0, child)
        places = struct.pack(f">{CHILDREN}H", *range(start, PAGE, 6))
        data[(page - 1) * PAGE : page * PAGE] = (head + places).ljust(start, b"\0") + cells
    path.write_bytes(data)


def test_an_instruction_without_end(tmp_path: Path) -> None:
    """One instruction counts the rows, and the pages lead to 300**10 of them."""
    path = tmp_path / "test.db"
    write(path, "CREATE TABLE rows (key, value)", "CREATE TABLE names (key)")
    write(path, "INSERT INTO names VALUES ('alice')")
    write(
        path, "CREATE VIEW counted AS SELECT key, (SELECT count(*) FROM rows) AS value FROM names"
    )
    damage(path, "rows")
    conf = settings(path, "query_domain SELECT value FROM counted WHERE key = ?")
    command = [sys.executable, "-c", ASK, str(conf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "query_domain: it takes longer than 0.5 s" in done.stdout


def test_a_clock_without_a_query(tmp_path: Path) -> None:
    """What comes after the time is up is not interrupted, and a closed connection does no harm."""
    path = create(tmp_path / "test.db", alice="bob")
    clock = Clock()
    for _ in range(2):
        with closing(sqlite3.connect(path)) as connection:
            clock.start(60)
            clock.watch(connection)
            clock.start(0, connection)
            clock.start(60, connection)
            assert connection.execute("SELECT value FROM rows").fetchone() == ("bob",)
            clock.start(0, connection)


def test_the_clock_runs_before_a_connection_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not run interrupts at once, and whether it strikes is a matter of luck."""
    over: list[bool] = []
    watch = Clock.watch

    def watched(clock: Clock, connection: sqlite3.Connection) -> None:
        over.append(clock.is_over())
        watch(clock, connection)

    monkeypatch.setattr(Clock, "watch", watched)
    path = create(tmp_path / "test.db", alice="bob")
    line = "query_alias SELECT value FROM rows WHERE key = ?"
    read = config.read(str(settings(path, line)))
    check_alone(read)
    database = Database(read)
    assert database.row(read.statements["query_alias"], "alice") == ("bob",)
    assert list(database.faults()) == []
    database.close()
    assert len(over) >= 2
    assert not any(over)


def test_a_clock_that_rested_interrupts_again() -> None:
    """A process ends the thread before it confines itself: the next one is confined, too."""
    clock = Clock()
    Clock.rest()
    assert "interrupter" not in [thread.name for thread in threading.enumerate()]
    with closing(sqlite3.connect(":memory:")) as connection:
        clock.start(0.05)
        clock.watch(connection)
        forever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x)"
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(f"{forever} FROM n").fetchone()
    clock.stop()
    assert "interrupter" in [thread.name for thread in threading.enumerate()]


def test_a_clock_rests_though_a_query_may_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else this takes an hour: the start of a table does not wait for a look at the clock."""
    monkeypatch.setattr(clock, "PAUSE", 3600.0)
    watching = Clock()
    with closing(sqlite3.connect(":memory:")) as connection:
        watching.start(3600)
        watching.watch(connection)
        Clock.rest()
    assert "interrupter" not in [thread.name for thread in threading.enumerate()]
    watching.stop()


def test_a_clock_without_a_thread(tmp_path: Path) -> None:
    """For a process that is killed when its time is up, and may start no thread."""
    source = (
        "import sqlite3, threading\n"
        "from opensmtpd.backends.sqlite.clock import Clock\n"
        "clock, connection = Clock(interrupts=False), sqlite3.connect(':memory:')\n"
        "clock.start(0.05)\n"
        "clock.watch(connection)\n"
        "endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)'\n"
        "try:\n"
        "    connection.execute(endless + ' SELECT i FROM n WHERE i < 0').fetchone()\n"
        "except sqlite3.OperationalError as error:\n"
        "    print(error)\n"
        "clock.stop()\n"
        "clock.start(60, connection)\n"
        "print(connection.execute('SELECT 1').fetchone(), threading.active_count())\n"
    )
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"interrupted\n(1,) 1\n"
