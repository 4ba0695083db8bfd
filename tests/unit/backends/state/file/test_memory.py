"""The worker that has the state in its memory."""

from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.memory import MemoryWorker
from opensmtpd.backends.state.steps import COUNT, GET, GREYLIST, PUT
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.needs import Needs

NEVER = 1e18


@pytest.fixture
def worker() -> MemoryWorker:
    return made(1 << 20)


def made(size: int) -> MemoryWorker:
    worker = MemoryWorker()
    assert worker.load(size) == "memory"
    worker.begin()
    return worker


def count(worker: MemoryWorker, key: bytes = b"=a") -> Any:
    return worker.handle([NEVER, COUNT, key, 1, 10**12])


def test_steps_are_taken(worker: MemoryWorker) -> None:
    assert [count(worker) for _ in range(3)] == [1, 2, 3]
    assert worker.handle([NEVER, PUT, b"=a", b"\0\xff", 10**12]) is True
    assert worker.handle([NEVER, GET, b"=a"])[0] == b"\0\xff"


def test_it_needs_nothing_and_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    worker = made(1 << 20)
    for number in range(200):
        worker.handle([NEVER, PUT, b"=%d" % number, b"x" * 60_000, 10**12])
    assert worker.needs == Needs()
    assert list(tmp_path.iterdir()) == []


def test_each_worker_has_its_own(worker: MemoryWorker) -> None:
    assert count(worker) == 1
    assert count(made(1 << 20)) == 1


def test_a_step_whose_time_is_over_is_not_taken(worker: MemoryWorker) -> None:
    with pytest.raises(Unavailable, match="no time left"):
        worker.handle([0.0, COUNT, b"=a", 1, 10**12])
    assert count(worker) == 1


def test_where_it_is_full_that_is_dropped_which_expires_first() -> None:
    worker = made(40 * database.PAGE)
    for _ in range(2):
        reply = worker.handle([NEVER, GREYLIST, b"=good", 1, 10**9, 10**15])
    assert reply[0] == 2
    for number in range(20_000):
        worker.handle([NEVER, GREYLIST, b"=bad%d" % number, 10**8, 10**9, 10**15])
    assert worker._store is not None
    assert worker._store._db.execute("PRAGMA page_count").fetchone()[0] <= 40
    assert worker.handle([NEVER, GREYLIST, b"=good", 1, 10**9, 10**15])[0] == 3


def test_a_step_that_fails_loses_nothing(worker: MemoryWorker) -> None:
    count(worker)
    assert worker._store is not None
    worker._store._is_full = lambda: False  # type: ignore[method-assign]
    worker._store._db.execute("PRAGMA max_page_count = 2")
    with pytest.raises(Unavailable, match="full"):
        worker.handle([NEVER, PUT, b"=b", b"x" * 60_000, 10**12])
    assert count(worker) == 2


def test_an_old_sqlite_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigError, match=r"needs SQLite 3\.35"):
        MemoryWorker().load(1 << 20)
