"""A database whose mode may change while it is read."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.connection import Interrupted
from opensmtpd.backends.sqlite.database import LOOK_MAX, QUERY_SECONDS
from opensmtpd.backends.sqlite.reader import Reader
from opensmtpd.backends.sqlite.wal.remote import WalPool
from opensmtpd.backends.sqlite.wal.requests import NotInWal
from opensmtpd.errors import LocalError, Unavailable
from unit.support.sqlite_files import LOOKUP, NEEDS_PROC, create, settings, write, write_elsewhere
from unit.support.sqlite_wal import beside, mapped, set_mode, wal, writer
from unit.support.workers import processes, pump


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return create(tmp_path / "test.db", alice="bob")


@pytest.fixture
def worker() -> Iterator[WalPool]:
    made = WalPool()
    yield made
    made.close()


def opened(path: Path, worker: WalPool) -> tuple[Reader, Statement]:
    lines = (f"query_alias {LOOKUP}", "fetch_source SELECT value FROM rows")
    read = config.read(str(settings(path, *lines)))
    return Reader(read, worker), read.statements["query_alias"]


def insert(path: Path, key: str) -> None:
    assert write_elsewhere(path, f"INSERT INTO rows VALUES ('{key}', 'x')") == ""


def test_each_method_in_either_mode(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    fetch = database.config.statements["fetch_source"]
    versions = []
    for mode in ("WAL", "DELETE", "WAL", "DELETE"):
        set_mode(path, mode)
        database.row(query, "alice")  # the files beside it are there from now on
        versions.append(database.version())
        assert database.row(query, "alice") == ("bob",)
        assert database.rows(query, "alice") == [("bob",)]
        assert database.all_rows(fetch) == [("bob",)]
        assert list(database.faults()) == []
        database.check()
        assert database.version() == versions[-1]
    assert len({repr(each) for each in versions}) == 4


@pytest.mark.parametrize("method", ["row", "rows", "all_rows", "version", "faults", "snapshot"])
def test_each_method_may_find_the_mode_changed(path: Path, worker: WalPool, method: str) -> None:
    database, query = opened(path, worker)

    def in_snapshot() -> None:
        with database.snapshot():
            assert database.row(query, "alice") == ("bob",)

    asked: dict[str, Callable[[], object]] = {
        "row": lambda: database.row(query, "alice"),
        "rows": lambda: database.rows(query, "alice"),
        "all_rows": lambda: database.all_rows(database.config.statements["fetch_source"]),
        "version": database.version,
        "faults": lambda: list(database.faults()),
        "snapshot": in_snapshot,
    }
    for mode in ("DELETE", "WAL", "DELETE"):
        set_mode(path, mode)
        asked[method]()


@NEEDS_PROC
def test_nothing_is_mapped_into_this_process(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    assert database.row(query, "alice") == ("bob",)
    set_mode(path, "WAL")
    with writer(path, "INSERT INTO rows VALUES ('one', 'x')"):
        assert beside(path, "shm").exists()
        for ask in (database.row, database.rows):
            assert ask(query, "one")
            assert not mapped(path)
        with database.snapshot():
            assert database.row(query, "one") == ("x",)
            assert not mapped(path)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_snapshot_sees_one_state(path: Path, worker: WalPool, mode: str) -> None:
    database, query = opened(path, worker)
    set_mode(path, mode)
    for number in range(2):  # the first one finds the mode
        with database.snapshot():
            assert database.row(query, f"new{number}") is None
            added = f"INSERT INTO rows VALUES ('new{number}', 'x')"
            locked = write_elsewhere(path, added)
            assert locked == ("database is locked" if mode == "DELETE" else "")
            with database.snapshot():
                assert database.row(query, f"new{number}") is None
            assert database.row(query, f"new{number}") is None
        if mode == "DELETE":
            assert write_elsewhere(path, added) == ""
        assert database.row(query, f"new{number}") == ("x",)


def test_a_snapshot_that_begins_when_the_mode_has_changed_back(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    set_mode(path, "WAL")
    assert database.row(query, "alice") == ("bob",)
    set_mode(path, "DELETE")
    with database.snapshot():
        assert database.row(query, "new") is None
        assert write_elsewhere(path, "DELETE FROM rows") == "database is locked"
    assert write_elsewhere(path, "DELETE FROM rows") == ""


def test_a_mode_that_is_changed_back_while_no_worker_is_left(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    set_mode(path, "WAL")
    assert database.row(query, "alice") == ("bob",)
    for pid in processes(worker.pool):
        os.kill(pid, signal.SIGKILL)
    pump(worker.pool, lambda: not worker.pool._crew.stems)
    with pytest.raises(Unavailable, match=r"test\.db: "):
        database.row(query, "alice")
    set_mode(path, "DELETE")
    assert database.row(query, "alice") == ("bob",)


def test_a_snapshot_whose_end_is_interrupted_is_over_all_the_same(
    path: Path, worker: WalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the worker would give the answers of that state for good."""
    database, query = opened(path, worker)
    set_mode(path, "WAL")
    with pytest.MonkeyPatch.context() as patch, database.snapshot():
        assert database.row(query, "new") is None
        patch.setattr(worker.pool, "ask", _no_memory)
    insert(path, "new")
    with database.hold():
        assert database.row(query, "new") == ("x",)


def _no_memory(_: object) -> NoReturn:
    raise MemoryError


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_look_that_was_left_does_not_stay(path: Path, worker: WalPool, mode: str) -> None:
    """An exception of the watchdog may come between any two steps."""
    database, query = opened(path, worker)
    set_mode(path, mode)
    database.snapshot().__enter__()
    assert database.row(query, "new") is None
    database._shared_end -= LOOK_MAX + QUERY_SECONDS
    with database.hold():
        assert database.row(query, "alice") == ("bob",)
    insert(path, "new")
    assert database.row(query, "new") == ("x",)


def test_errors_of_files_have_the_text_of_rollback_mode(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    set_mode(path, "WAL")
    assert database.row(query, "alice") == ("bob",)
    away = path.rename(path.with_name("away"))
    with pytest.raises(Unavailable) as caught:
        database.row(query, "alice")
    assert str(caught.value) == (f"{path}: No such file or directory; make it, or correct dbpath")
    away.rename(path)
    assert database.row(query, "alice") == ("bob",)


def test_errors_of_queries_do_too(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    texts = []
    for mode in ("DELETE", "WAL"):
        set_mode(path, mode)
        write(path, "ALTER TABLE rows RENAME TO others")
        with pytest.raises(LocalError) as caught:
            database.row(query, "alice")
        texts.append(str(caught.value))
        write(path, "ALTER TABLE others RENAME TO rows")
        assert database.row(query, "alice") == ("bob",)
    assert texts[0] == texts[1]
    assert "no such table: rows" in texts[0]


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_whether_a_query_took_too_long(path: Path, worker: WalPool, mode: str) -> None:
    database, query = opened(path, worker)
    set_mode(path, mode)
    assert database.row(query, "alice") == ("bob",)
    query.sql, good = f"{ENDLESS} WHERE i < 0 AND ?", query.sql
    fetch = database.config.statements["fetch_source"]
    fetch.sql = f"{ENDLESS} WHERE i < 0"
    database.close()
    database = Reader(database.config, worker)
    with pytest.raises(Interrupted, match=r"it takes longer than 0\.2 s; an index may help"):
        database.all_rows(fetch, 0.2)
    query.sql = good


def test_a_mode_that_never_rests(
    path: Path, worker: WalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, query = opened(wal(path.with_name("wal.db")), worker)

    def switch(*_: object) -> None:
        raise NotInWal

    monkeypatch.setattr(database._remote, "row", switch)
    with pytest.raises(Unavailable, match="its journal mode is changed again and again"):
        database.row(query, "alice")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_question_is_held_here_only(path: Path, worker: WalPool, mode: str) -> None:
    """There, it would take longer to begin and to end than the question itself."""
    database, query = opened(path, worker)
    set_mode(path, mode)
    for number in range(2):  # the first one finds the mode
        with database.hold():
            assert database.row(query, f"new{number}") is None
            added = f"INSERT INTO rows VALUES ('new{number}', 'x')"
            said = write_elsewhere(path, added)
            assert said == ("database is locked" if mode == "DELETE" else "")
            assert (database.row(query, f"new{number}") is None) == (mode == "DELETE")
            assert database.stamp(query) is None
        assert write_elsewhere(path, "CREATE TABLE IF NOT EXISTS more (x)") == ""


def test_a_version_that_came_with_a_row_ends_with_the_question(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    set_mode(path, "WAL")
    with writer(path):
        database.row(query, "alice")
        with database.hold(version=True):
            assert database.row(query, "alice") == ("bob",)
            version = database.version()
            assert database.row(query, "alice") == ("bob",)
        insert(path, "new")
        assert database.version() != version
        with database.hold(version=True):
            assert database.row(query, "new") == ("x",)
            database.let_go()
            insert(path, "newer")
            later = database.version()
        assert database.version() == later
        with database.hold():
            assert database.row(query, "newer") == ("x",)
            assert not database._remote.shares
