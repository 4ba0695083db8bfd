"""table-sqlite on a database in WAL mode: the same answers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd.testing import ask
from opensmtpd_tables.sqlite import Sqlite
from unit.support.lookups import answer, check, lookup, update
from unit.support.sqlite_files import LOOKUP, put, settings, write, write_elsewhere
from unit.support.sqlite_served import PLAIN, QUERIES, populated, table
from unit.support.sqlite_wal import set_mode, signal_worker, writer
from unit.support.table_child import TableChild

WILDCARDS = (
    f"query_domain {LOOKUP}",
    f"query_alias {LOOKUP}",
    "patterns_domain SELECT key FROM rows",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = populated(tmp_path)
    write(path, "PRAGMA journal_mode = WAL")
    return path


made: list[Sqlite] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """End the workers of a test."""
    yield
    while made:
        made.pop().stop()


def served(path: Path, *lines: str) -> Sqlite:
    some = table(path, *lines)
    made.append(some)
    return some


def test_each_service(path: Path) -> None:
    write(path, "INSERT INTO users VALUES ('alice', 1000, '100', '/home/alice')")
    some = served(path)
    values = {Service.CREDENTIALS: "alice:bob", Service.USERINFO: "1000:100:/home/alice"}
    for service in PLAIN:
        assert ask(some, "lookup", service, "alice") == ("found", values.get(service, "bob"))
        assert ask(some, "check", service, "alice") == ("found", "")
        assert ask(some, "lookup", service, "nobody") == ("not-found", "")
        assert ask(some, "check", service, "nobody") == ("not-found", "")
    assert ask(some, "fetch", "source") == ("found", "bob")


def test_what_others_change_counts_at_once(path: Path) -> None:
    some = served(path, *WILDCARDS)
    with writer(path):
        for number in range(5):
            assert ask(some, "check", "domain", f"a.b{number}.org") == ("not-found", "")
            put(path, **{f"*.b{number}.org": "x", f"user{number}": "eve"})
            assert ask(some, "check", "domain", f"a.b{number}.org") == ("found", "")
            assert ask(some, "lookup", "alias", f"user{number}") == ("found", "eve")


def test_wildcards_without_patterns(path: Path) -> None:
    some = served(path, f"query_domain {LOOKUP}")
    assert ask(some, "check", "domain", "www.example.org") == ("not-found", "")
    put(path, **{"*.example.org": "x"})
    assert ask(some, "check", "domain", "www.example.org") == ("found", "")


def test_updates(path: Path) -> None:
    some = served(path, f"query_alias {LOOKUP}")
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")
    settings(path, "query_alias SELECT key FROM rows WHERE key = ?")
    assert ask(some, "update") == ("ok", "")
    assert ask(some, "lookup", "alias", "alice") == ("found", "alice")
    settings(path, "query_alias SELECT bogus FROM rows WHERE key = ?")
    assert ask(some, "update").result == "error"
    assert ask(some, "lookup", "alias", "alice") == ("found", "alice")


def test_the_check_of_a_configuration(path: Path) -> None:
    made.append(table(path, *QUERIES, check=True))
    with pytest.raises(ConfigError) as caught:
        table(path, "query_alias SELECT bogus FROM rows WHERE key = ?", check=True)
    said = f"{path.with_suffix('.conf')}:3: query_alias: no such column: bogus"
    said += f"; see what the database has: sqlite3 {path} .schema"
    assert str(caught.value) == said


def test_at_start_the_worker_is_there(path: Path) -> None:
    """A switch to WAL mode may come when no program can be started any more."""
    set_mode(path, "DELETE")
    some = served(path)
    assert "pool" not in vars(some.worker)
    some.start()
    assert "pool" in vars(some.worker)
    set_mode(path, "WAL")
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")
    assert signal_worker(some.worker, signal.SIGKILL)
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


MAIN = "from opensmtpd_tables import sqlite\nsqlite.main()\n"


def test_the_program_while_the_mode_changes(path: Path) -> None:
    conf = settings(path, *WILDCARDS)
    with TableChild(path.parent, "", str(conf), main=MAIN) as child:
        child.hello()
        for number, mode in enumerate(("DELETE", "WAL", "DELETE", "WAL")):
            set_mode(path, mode)
            put(path, **{f"user{number}": mode, f"*.d{number}.org": "x"})
            id = b"%08x" % number
            child.send(lookup(b"user%d" % number, id=id), check(b"a.d%d.org" % number, b"domain"))
            first, second = child.lines(2)
            assert first == answer(b"found|" + mode.encode(), id=id)
            assert second == answer(b"found", b"check")
        child.send(update())
        assert child.lines() == [answer(b"ok", b"update")]
        assert child.end()[:2] == (0, b"")


def test_no_answer_is_older_than_a_commit(path: Path) -> None:
    some = served(path, f"query_alias {LOOKUP}")
    for number in range(200):
        write(path, f"UPDATE rows SET value = 'v{number}' WHERE key = 'alice'")
        if number % 50 == 49:
            os.kill(signal_worker(some.worker, signal.SIGCONT), signal.SIGKILL)
        found = ask(some, "lookup", "alias", "alice")
        assert found == ("found", f"v{number}") or found.result == "error"
        assert number % 50 == 49 or found.result == "found"
    assert write_elsewhere(path, "DELETE FROM rows") == ""
    assert ask(some, "lookup", "alias", "alice") == ("not-found", "")


COUNTER = """
import itertools, os, sqlite3, sys
told = os.open(sys.argv[2], os.O_WRONLY)
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("PRAGMA wal_autocheckpoint = 7")
connection.execute("PRAGMA synchronous = OFF")
for number in itertools.count(1):
    connection.execute("UPDATE rows SET value = ?", (f"v{number}",))
    os.pwrite(told, b"%10d" % number, 0)
    if number % 100 == 0:  # the log may go, and be made anew
        connection.close()
        connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
    if number % 300 == 0:
        for mode in ("DELETE", "WAL"):
            try:
                connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
            except sqlite3.OperationalError:  # it is open elsewhere
                pass
"""


def test_no_answer_is_older_than_a_commit_of_a_writer_at_work(path: Path) -> None:
    write(path, "UPDATE rows SET value = 'v0'")
    some = served(path, f"query_alias {LOOKUP}")
    told = path.with_name("told")
    told.write_bytes(b"0")
    found, errors, committed = 0, set(), 0
    with subprocess.Popen([sys.executable, "-c", COUNTER, str(path), str(told)]) as process:
        while committed < 1500:
            committed = int(told.read_bytes())
            result, value = ask(some, "lookup", "alias", "alice")
            if result == "found":
                found += 1
                assert int(value[1:]) >= committed
            else:
                errors.add(value)
        process.kill()
    assert found > 10
    for text in errors:
        assert "is locked" in text or "in time" in text or "restarted" in text
