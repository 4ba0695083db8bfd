"""The worker that reads databases in WAL mode, without its process."""

import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.connection import Interrupted
from opensmtpd.backends.sqlite.wal import worker as wal_worker
from opensmtpd.backends.sqlite.wal.database import WalDatabase
from opensmtpd.backends.sqlite.wal.requests import (
    ALL,
    ALONE,
    END,
    FAULTS,
    FIRST,
    LATER,
    MORE,
    ROW,
    ROWS,
    USE,
    VERSION,
    VERSIONED,
    NotInWal,
    UnknownConfig,
    plain,
)
from opensmtpd.backends.sqlite.wal.worker import WalWorker
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.worker import Link
from opensmtpd.worker.frames import FrameBuffer, pack
from unit.support.sqlite_files import LOOKUP, put, settings, write_elsewhere
from unit.support.sqlite_wal import set_mode, wal

ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT i FROM n WHERE i < 0 AND i <> ?"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return wal(tmp_path / "test.db", alice="bob")


def data(path: Path) -> list[Any]:
    """Return a configuration as it is sent."""
    lines = (f"query_alias {LOOKUP}", "fetch_source SELECT value, key FROM rows")
    wrong = "query_string SELECT bogus FROM rows WHERE key = ?"
    return plain(config.read(str(settings(path, *lines, wrong, f"query_addrname {ENDLESS}"))))


def checkpoint(path: Path) -> Any:
    """Try to empty the log; return whether a reader forbade it, and the pages that it has."""
    with closing(sqlite3.connect(path, 0.05, isolation_level=None)) as connection:
        return connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


@pytest.fixture
def worker(path: Path) -> WalWorker:
    made = WalWorker()
    made.handle([USE, 1, ALONE, data(path)])
    return made


def test_a_configuration_is_used_until_another_comes(worker: WalWorker, path: Path) -> None:
    assert worker.handle([ROW, 1, ALONE, "query_alias", "alice"]) == ("bob",)
    worker.handle([USE, 2, ALONE, data(path)])
    assert worker.handle([ROWS, 2, ALONE, "query_alias", "alice"]) == [("bob",)]
    for number in (0, 1, 3):
        with pytest.raises(UnknownConfig):
            worker.handle([ROW, number, ALONE, "query_alias", "alice"])
    with pytest.raises(UnknownConfig):
        WalWorker().handle([ROW, 1, ALONE, "query_alias", "alice"])


def test_faults_cross_as_data(worker: WalWorker, path: Path) -> None:
    remedy = f"see what the database has: sqlite3 {path} .schema"
    fault = ["query_string: no such column: bogus", 5, remedy]
    assert worker.handle([FAULTS, 1, ALONE])[1] == fault


def test_a_snapshot_is_of_one_worker(worker: WalWorker, path: Path) -> None:
    ask = [ROW, 1, FIRST, "query_alias", "new"]
    assert worker.handle(ask) is None
    assert write_elsewhere(path, "INSERT INTO rows VALUES ('new', 'x')") == ""
    later = [ROW, 1, LATER, "query_alias", "new"]
    assert worker.handle(later) is None
    assert worker.handle([END, 1, ALONE]) is None
    with pytest.raises(Unavailable, match="a worker died between the lookups of one question"):
        worker.handle(later)
    assert worker.handle(ask) == ("x",)
    assert worker.handle([ROW, 1, ALONE, "query_alias", "new"]) == ("x",)
    with pytest.raises(Unavailable):
        worker.handle(later)


def test_a_snapshot_that_begins_with_an_error_is_none(worker: WalWorker, path: Path) -> None:
    """The front sends no END for it; while it lasted, nobody could begin the log anew."""
    assert worker.handle([ROW, 1, ALONE, "query_alias", "alice"]) == ("bob",)
    with pytest.raises(ConfigError, match="no such column: bogus"):
        worker.handle([ROW, 1, FIRST, "query_string", "alice"])
    put(path, new="x")
    assert checkpoint(path) == (0, 0, 0)
    assert worker.handle([ROW, 1, FIRST, "query_alias", "new"]) == ("x",)
    put(path, newer="x")
    assert checkpoint(path)[0] == 1
    assert worker.handle([ROW, 1, LATER, "query_alias", "newer"]) is None
    assert worker.handle([END, 1, ALONE]) is None
    assert checkpoint(path) == (0, 0, 0)


def test_all_rows_come_in_parts(
    worker: WalWorker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, **{f"key{number}": "x" * 20 for number in range(9)})
    monkeypatch.setattr(wal_worker, "PART", 50)
    parts = [worker.handle([ALL, 1, ALONE, "fetch_source", 2.0])]
    while parts[-1]:
        parts.append(worker.handle([MORE, 1, ALONE]))
    assert [len(part[0]) for part in parts[:-1]] == [3, 2, 2, 2, 1]
    assert [row for part in parts[:-1] for row in part[0]] == [("bob",)] + [("x" * 20,)] * 9


def test_a_part_fits_into_a_frame(worker: WalWorker, path: Path) -> None:
    put(path, **{f"key{number}": "\N{GRINNING FACE}" * 1000 for number in range(300)})
    put(path, **{f"empty{number}": None for number in range(30_000)})
    part, count = worker.handle([ALL, 1, ALONE, "fetch_source", 2.0]), 0
    while part:
        pack([1, 1, part])
        count += len(part[0])
        part = worker.handle([MORE, 1, ALONE])
    assert count == 30_301


def test_a_query_that_takes_too_long(worker: WalWorker) -> None:
    with pytest.raises(Interrupted, match=r"query_addrname: it takes longer than 0\.5 s"):
        worker.handle([ROW, 1, ALONE, "query_addrname", "alice"])
    assert worker.handle([ROW, 1, ALONE, "query_alias", "alice"]) == ("bob",)


def test_a_database_that_is_not_in_wal_mode(worker: WalWorker, path: Path) -> None:
    set_mode(path, "DELETE")
    with pytest.raises(NotInWal):
        worker.handle([VERSION, 1, ALONE])


def test_it_closes_the_database_when_nothing_is_asked(path: Path) -> None:
    """Else nobody could change the mode. It goes on afterwards, and ends with its front."""
    ours, theirs = socket.socketpair()
    worker = WalWorker()
    ended = []

    def serve() -> None:
        try:
            worker.serve(Link(theirs))
        except EOFError:
            worker.close()
            ended.append(True)

    thread = threading.Thread(target=serve)
    thread.start()
    frames = FrameBuffer()

    def ask(number: int, request: list[Any]) -> list[Any]:
        ours.sendall(pack([number, request]))
        while not (found := list(frames.feed(ours.recv(65536)))):
            pass
        return list(found[0])

    lookup = [ROW, 1, ALONE, "query_alias", "alice"]
    assert ask(1, lookup)[2] == "UnknownConfig"
    assert ask(2, [USE, 1, ALONE, data(path)]) == [1, 2, None]
    assert ask(3, lookup) == [1, 3, ["bob"]]
    set_mode(path, "DELETE")
    assert ask(4, lookup)[2] == "NotInWal"
    set_mode(path, "WAL")
    assert ask(5, lookup) == [1, 5, ["bob"]]
    snapshot = [ROW, 1, FIRST, "query_alias", "new"]
    assert ask(6, snapshot) == [1, 6, None]
    assert write_elsewhere(path, "INSERT INTO rows VALUES ('new', 'x')") == ""
    time.sleep(2 * wal_worker.IDLE)
    assert ask(7, [ROW, 1, LATER, "query_alias", "new"]) == [1, 7, None]
    assert ask(8, [END, 1, ALONE]) == [1, 8, None]
    set_mode(path, "DELETE")
    ours.close()
    thread.join(20)
    assert ended == [True]
    theirs.close()


def test_a_row_with_the_version(worker: WalWorker, path: Path) -> None:
    row, version = worker.handle([VERSIONED, 1, ALONE, "query_alias", "alice"])
    assert row == ("bob",)
    assert version == worker.handle([VERSION, 1, ALONE])
    put(path, more="x")
    row, changed = worker.handle([VERSIONED, 1, ALONE, "query_alias", "nobody"])
    assert row is None
    assert changed != version
    assert changed == worker.handle([VERSION, 1, ALONE])


def test_a_row_without_a_version_that_cannot_be_told(
    worker: WalWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise Unavailable("locked")

    monkeypatch.setattr(WalDatabase, "version", fail)
    assert worker.handle([VERSIONED, 1, ALONE, "query_alias", "alice"]) == [("bob",), None]
