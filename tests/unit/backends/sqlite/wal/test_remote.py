"""A database that a worker reads."""

import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.wal.remote import RemoteDatabase, WalPool
from opensmtpd.backends.sqlite.wal.requests import NotInWal
from opensmtpd.errors import Unavailable, WorkerError
from unit.support.sqlite_files import LOOKUP, create, put, settings, write_elsewhere
from unit.support.sqlite_wal import beside, signal_worker, wal, writer
from unit.support.workers import pump, whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return wal(tmp_path / "test.db", alice="bob")


@pytest.fixture
def worker() -> Iterator[WalPool]:
    made = WalPool()
    made.start()
    yield made
    made.close()


LINES = (f"query_alias {LOOKUP}", "fetch_source SELECT value FROM rows")


def opened(path: Path, worker: WalPool, *lines: str) -> tuple[RemoteDatabase, Statement]:
    read = config.read(str(settings(path, *(lines or LINES))))
    return RemoteDatabase(read, worker), read.statements["query_alias"]


def patiently(database: RemoteDatabase, query: Statement, key: str) -> Any:
    """Return the row, after the errors while the machine is too busy for a worker's 0.5 s."""
    for _ in range(20):
        pump(database._worker.pool, lambda: whole(database._worker.pool))
        try:
            return database.row(query, key)
        except Unavailable as error:
            if not re.search("in time|restarted", str(error)):
                raise
    raise AssertionError("no answer")


def test_it_is_read_as_a_database(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    assert patiently(database, query, "alice") == ("bob",)
    assert database.row(query, "nobody") is None
    assert database.rows(query, "alice") == [("bob",)]
    assert database.faults() == []
    put(path, n=None, i=-5, f=1.5, b=b"\xff\0", t="\N{SNOWMAN}")
    cells = [database.row(query, key) for key in "nifbt"]
    assert cells == [(None,), (-5,), (1.5,), (b"\xff\0",), ("\N{SNOWMAN}",)]
    assert database.row(query, "\udcff") is None
    database.row(query, "n")
    version = database.version()
    assert database.version() == version
    put(path, more="x")
    assert database.version() != version


def test_many_rows_cross(path: Path, worker: WalPool) -> None:
    database, _ = opened(path, worker)
    put(path, **{f"key{number}": f"{number:0100}" for number in range(30_000)})
    rows = database.all_rows(database.config.statements["fetch_source"], 20.0)
    assert len(rows) == 30_001
    assert rows[-1] == (f"{29_999:0100}",)


def test_what_is_wrong_with_statements(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker, "query_alias SELECT value FROM rows -- ?")
    [fault] = database.faults()
    assert str(fault) == (
        f"{path.with_suffix('.conf')}:3: query_alias: it never uses the key, so all keys have one"
        " answer; put ? where the key belongs, or say 'constant_alias yes'"
    )
    with pytest.raises(Unavailable) as caught:
        database.row(query, "alice")
    assert str(caught.value) == str(fault)


def test_two_configurations_take_turns(path: Path, tmp_path: Path, worker: WalPool) -> None:
    (tmp_path / "other").mkdir()
    other = wal(tmp_path / "other" / "test.db", alice="eve")
    ours, theirs = opened(path, worker), opened(other, worker)
    for _ in range(2):
        assert patiently(*ours, "alice") == ("bob",)
        assert patiently(*theirs, "alice") == ("eve",)


def test_another_mode(path: Path, worker: WalPool) -> None:
    database, query = opened(create(path.with_name("other.db"), alice="bob"), worker)
    with pytest.raises(NotInWal):
        database.row(query, "alice")


def test_a_worker_that_is_killed_is_replaced(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    for _ in range(3):
        assert patiently(database, query, "alice") == ("bob",)
        signal_worker(worker, signal.SIGKILL)
        assert patiently(database, query, "alice") == ("bob",)


def test_a_worker_that_is_stopped(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    assert patiently(database, query, "alice") == ("bob",)
    stopped = signal_worker(worker, signal.SIGSTOP)
    with pytest.raises(Unavailable) as caught:
        database.row(query, "alice")
    assert str(caught.value) == f"{path}: no answer in time"
    assert patiently(database, query, "alice") == ("bob",)
    assert signal_worker(worker, signal.SIGKILL) != stopped


def test_a_file_that_is_truncated_while_it_is_mapped(path: Path, worker: WalPool) -> None:
    """Without a worker, that is the end of the process: SIGBUS."""
    database, query = opened(path, worker)
    with writer(path, "INSERT INTO rows VALUES ('one', 'x')"):
        assert patiently(database, query, "one") == ("x",)
        with open(beside(path, "shm"), "r+b") as shm:
            for _ in range(3):
                shm.truncate(0)
                with contextlib.suppress(Unavailable):
                    assert database.row(query, "one") in [("x",), None]
    assert patiently(database, query, "alice") == ("bob",)


def test_a_snapshot(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    assert patiently(database, query, "new") is None
    database.begin()
    assert database.row(query, "new") is None
    assert write_elsewhere(path, "INSERT INTO rows VALUES ('new', 'x')") == ""
    database.begin()  # it has begun
    assert database.row(query, "new") is None
    database.end()
    assert database.row(query, "new") == ("x",)
    database.begin()
    database.end()
    assert database.row(query, "new") == ("x",)


def test_a_worker_that_dies_within_a_snapshot(path: Path, worker: WalPool) -> None:
    """The next one cannot tell what the first one saw."""
    database, query = opened(path, worker)
    assert patiently(database, query, "alice") == ("bob",)
    database.begin()
    assert patiently(database, query, "alice") == ("bob",)
    signal_worker(worker, signal.SIGKILL)
    with pytest.raises(Unavailable, match=r"died between the lookups|no answer in time|restarted"):
        database.row(query, "alice")
    database.end()
    assert patiently(database, query, "alice") == ("bob",)


class Lost:
    """A pool whose worker dies behind the first part of all rows."""

    def __init__(self) -> None:
        self.replies = iter([[[["bob"]]]])

    def request(self, request: list[Any], deadline: float) -> Any:
        for reply in self.replies:
            return reply
        raise WorkerError("a worker died before it had sent all rows", "UnknownConfig")


def test_no_part_of_the_rows_is_taken_for_all(path: Path) -> None:
    worker = WalPool()
    vars(worker)["pool"] = Lost()
    database, _ = opened(path, worker)
    with pytest.raises(Unavailable, match="a worker died before it had sent all rows"):
        database.all_rows(database.config.statements["fetch_source"])


class Endless:
    """A pool whose worker was taken over, and sends the same part again and again."""

    def __init__(self, part: list[list[str]]) -> None:
        self.part = part
        self.requests = 0

    def request(self, request: list[Any], deadline: float) -> Any:
        self.requests += 1
        return [self.part]


@pytest.mark.parametrize("part", [[], [["x"]], [["x" * 4096]] * 32, [["x"]] * 100_000])
def test_a_worker_that_sends_rows_without_end(path: Path, part: list[list[str]]) -> None:
    worker = WalPool()
    vars(worker)["pool"] = pool = Endless(part)
    database, _ = opened(path, worker)
    with pytest.raises(Unavailable, match="fetch_source gives more than 64 MiB"):
        database.all_rows(database.config.statements["fetch_source"])
    assert pool.requests <= 514


def test_nothing_is_started_before_it_is_asked() -> None:
    worker = WalPool()
    worker.close()
    assert "pool" not in vars(worker)


def test_the_version_comes_with_a_row(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    patiently(database, query, "alice")
    database.bring()
    assert database.shares
    assert patiently(database, query, "alice") == ("bob",)
    version = database.version()
    put(path, more="x")
    assert database.row(query, "nobody") is None
    database.end()
    assert not database.shares
    assert database.version() != version  # of now, and not of that row


def test_one_version_is_given_once(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    patiently(database, query, "alice")
    database.bring()
    patiently(database, query, "alice")
    version = database.version()
    put(path, more="x")
    assert database.version() != version


def test_a_snapshot_takes_no_version_of_a_row_before_it(path: Path, worker: WalPool) -> None:
    database, query = opened(path, worker)
    patiently(database, query, "alice")
    database.bring()
    patiently(database, query, "alice")
    put(path, more="x")
    database.begin()
    assert database.row(query, "more") == ("x",)
    version = database.version()
    database.end()
    assert database.version() == version
