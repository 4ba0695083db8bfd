"""The worker of the file, and what it does when the file breaks under it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.worker import FileWorker
from opensmtpd.backends.state.steps import COUNT, FORGET, GET, PUT
from opensmtpd.errors import ConfigError, Unavailable

NEVER = 1e18


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def worker(path: Path) -> FileWorker:
    made = FileWorker()
    made.load([str(path), 1 << 20, True])
    return made


def count(worker: FileWorker, key: bytes = b"=a") -> Any:
    return worker.handle([NEVER, COUNT, key, 1, 10**12])


def test_steps_are_taken(worker: FileWorker) -> None:
    assert [count(worker) for _ in range(3)] == [1, 2, 3]
    assert worker.handle([NEVER, PUT, b"=a", b"\0\xff", 10**12]) is True
    assert worker.handle([NEVER, GET, b"=a"])[0] == b"\0\xff"
    assert worker.handle([NEVER, FORGET, b"=a"]) is True
    assert worker.handle([NEVER, GET, b"=a"]) is None
    assert count(worker) == 1


def test_it_may_write_to_the_folder_alone(worker: FileWorker, path: Path) -> None:
    assert worker.needs is not None
    assert worker.needs.writes == (str(path.parent),)
    assert worker.needs.locks
    assert not worker.needs.network


def test_where_it_only_checks_no_file_is_made(path: Path) -> None:
    assert FileWorker().load([str(path), 1 << 20, False]) == str(path)
    assert not path.exists()


@pytest.mark.parametrize("root", [True, False])
def test_root_that_only_checks_does_not_open_the_file(
    root: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to the filter's user: root must not say that others may have written it."""
    path.touch(0o600)
    owner = os.getuid() or 1000
    os.chown(path, owner, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else owner)
    FileWorker().load([str(path), 1 << 20, False])
    assert (path.stat().st_size == 0) == root


def test_a_folder_that_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder for the state"):
        FileWorker().load([str(tmp_path / "missing" / "state.db"), 1 << 20, True])


def test_an_old_sqlite_is_told_at_the_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(ConfigError, match=r"needs SQLite 3\.35, and this is 3\.34\.1; upgrade it"):
        FileWorker().load([str(path), 1 << 20, True])


def test_what_may_pass_is_a_line_at_the_start(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.01)
    with closing(sqlite3.connect(path)) as db:
        path.chmod(0o600)
        db.execute("BEGIN EXCLUSIVE")
        FileWorker().load([str(path), 1 << 20, True])
    assert capfd.readouterr().err == f'state-unusable file={path} reason="database is locked"\n'


def test_a_step_whose_time_is_over_is_not_taken(worker: FileWorker) -> None:
    with pytest.raises(Unavailable, match="no time left"):
        worker.handle([0.0, COUNT, b"=a", 1, 10**12])
    assert count(worker) == 1


def test_a_file_that_another_process_replaces_while_it_is_opened(
    worker: FileWorker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the steps would go into the file that was moved aside, for ever."""
    opened = database.opened

    def late(name: str, size: int) -> sqlite3.Connection:
        db = opened(name, size)
        database.move_aside(name, database.identity(name), "damaged")
        opened(name, size).close()
        return db

    with monkeypatch.context() as patch:
        patch.setattr(database, "opened", late)
        count(worker)
    other = FileWorker()
    other.load([str(path), 1 << 20, True])
    assert [count(each) for each in (worker, other, worker, other)] == [1, 2, 3, 4]


def remove(path: Path) -> None:
    path.unlink()


def remove_all(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()


def replace_with_rubbish(path: Path) -> None:
    other = path.parent / "other"
    other.write_bytes(b"rubbish" * 5000)
    other.chmod(0o600)
    other.rename(path)


def truncate(path: Path) -> None:
    os.truncate(path, 0)
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink()


def overwrite_pages(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xee" * (path.stat().st_size - 4096))


def overwrite_all(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xee" * path.stat().st_size)


@pytest.mark.parametrize(
    "harm",
    [remove, remove_all, replace_with_rubbish, truncate, overwrite_pages, overwrite_all],
)
def test_state_begins_anew_where_the_file_breaks_while_it_is_open(
    worker: FileWorker, path: Path, harm: Callable[[Path], None]
) -> None:
    """Within a few steps: SQLite may know pages that it has read before."""
    for number in range(2000):
        count(worker, b"=%d" % number)
    assert worker._store is not None
    worker._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    worker._store._db.execute("PRAGMA cache_size = 0")
    harm(path)
    for number in range(2000):
        try:
            count(worker, b"=%d" % number)
        except Unavailable:
            continue
    assert [count(worker, b"=later") for _ in range(3)] == [1, 2, 3]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_database_of_somebody_else_in_its_place_stays(worker: FileWorker, path: Path) -> None:
    count(worker)
    other = path.parent / "other"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE users (name)")
    other.chmod(0o600)
    other.rename(path)
    with pytest.raises(Unavailable, match="is another program's"):
        count(worker)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]


def test_a_lock_of_another_process_is_not_waited_for_long(
    worker: FileWorker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.01)
    with closing(sqlite3.connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            count(worker)
    assert count(worker) == 1
