"""A database in WAL mode, in a process that may die."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.connection import connect
from opensmtpd.backends.sqlite.wal.database import RequestClock, WalDatabase
from opensmtpd.backends.sqlite.wal.requests import NotInWal
from opensmtpd.errors import Unavailable
from unit.support.sqlite_files import LOOKUP, create, settings, write, write_elsewhere
from unit.support.sqlite_wal import beside, wal, writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return wal(tmp_path / "test.db", alice="bob")


def opened(path: Path) -> tuple[WalDatabase, Statement]:
    read = config.read(str(settings(path, f"query_alias {LOOKUP}")))
    database = WalDatabase(read)
    database.time.until = monotonic() + 60
    return database, read.statements["query_alias"]


def insert(path: Path, key: str) -> None:
    assert write_elsewhere(path, f"INSERT INTO rows VALUES ('{key}', 'x')") == ""


def test_each_commit_counts_from_the_next_query_on(path: Path) -> None:
    database, query = opened(path)
    with writer(path):
        for key in ("one", "two"):
            assert database.row(query, key) is None
            insert(path, key)
            assert database.row(query, key) == ("x",)
            assert database.rows(query, key) == [("x",)]
    database.close()


def test_the_version_is_another_one_after_each_commit(path: Path) -> None:
    database, query = opened(path)
    with writer(path, "INSERT INTO rows VALUES ('a', 'b')"):
        database.row(query, "alice")  # the files beside it are there from now on
        seen = [database.version()]
        assert database.version() == seen[0]
        insert(path, "one")
        seen.append(database.version())
        assert database.version() == seen[1]
        database.close()
        seen.append(database.version())
    assert len({repr(each) for each in seen}) == 3
    database.close()


def test_queries_between_share_and_unshare_see_one_state(path: Path) -> None:
    database, query = opened(path)
    database.share()
    assert database.shared
    insert(path, "one")
    assert database.row(query, "one") is None
    assert database.row(query, "alice") == ("bob",)
    assert database.row(query, "one") is None
    database.unshare()
    assert not database.shared
    assert database.row(query, "one") == ("x",)
    database.close()


def remove(path: Path) -> None:
    path.unlink()


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change",
    [
        remove,
        make_a_folder,
        lambda path: write(path, "PRAGMA journal_mode = DELETE"),
        lambda path: create(path.with_name("new")).replace(path),
    ],
    ids=["removed", "a folder", "rollback", "replaced"],
)
def test_what_the_front_is_to_look_at(path: Path, change: Callable[[Path], object]) -> None:
    for asked_before in (False, True):
        database, query = opened(path)
        if asked_before:
            assert database.row(query, "alice") == ("bob",)
            database.close()
        good = path.read_bytes()
        change(path)
        for ask in (database.version, database.check):
            with pytest.raises(NotInWal):
                ask()
        with pytest.raises(NotInWal):
            database.row(query, "alice")
        database.share()
        database.unshare()
        if path.is_dir():
            path.rmdir()
        path.write_bytes(good)


def test_a_database_that_another_is_renamed_over(path: Path, tmp_path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    before = database.version()
    (tmp_path / "new").mkdir()
    new = wal(tmp_path / "new" / "test.db", alice="eve")
    for name in ("wal", "shm"):
        beside(path, name).unlink()
    new.replace(path)
    assert database.row(query, "alice") == ("eve",)
    assert database.version() != before
    database.close()


def test_files_beside_it_that_others_removed(path: Path) -> None:
    """What is written then goes to new ones, and the old ones tell nothing of it."""
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    for name in ("wal", "shm"):
        beside(path, name).unlink()
    with writer(path, "INSERT INTO rows VALUES ('one', 'x')"):
        assert database.row(query, "one") == ("x",)
    database.close()


def test_a_log_that_is_none(path: Path) -> None:
    """As SQLite reads it: without the log."""
    for garbage in (b"\0", os.urandom(5000)):
        beside(path, "wal").write_bytes(garbage)
        database, query = opened(path)
        assert database.row(query, "alice") == ("bob",)
        database.close()


def test_nothing_is_written(path: Path) -> None:
    before = path.read_bytes()
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    query.sql = "DELETE FROM rows WHERE key = ?"
    with pytest.raises(Unavailable):
        database.row(query, "alice")
    database.close()
    assert path.read_bytes() == before


AS_NOBODY = """
import os, sys
from unit.backends.sqlite.wal.test_database import opened
from opensmtpd.errors import Unavailable
from pathlib import Path

os.setgid(65534), os.setuid(65534)
database, query = opened(Path(sys.argv[1]))
try:
    print(database.row(query, "alice"))
except Unavailable as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_rights(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files beside it are made by their first reader, unless they are there."""
    for folder in (path.parent, *list(path.parents)[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    settings(path).chmod(0o666)
    path.chmod(0o644)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(each for each in sys.path if each))

    def ask() -> str:
        command = [sys.executable, "-c", AS_NOBODY, str(path)]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    refused = ask()
    assert refused.startswith(f"{path}: ")
    assert "; let smtpd's user write to its directory" in refused
    with writer(path, "INSERT INTO rows VALUES ('one', 'x')"):
        assert ask() == "('bob',)\n"
    path.parent.chmod(0o777)
    assert ask() == "('bob',)\n"


def test_limits(path: Path) -> None:
    """As in rollback mode."""
    clock = RequestClock()
    clock.until = monotonic() + 60
    clock.start(60)
    with closing(connect(str(path), clock, wait=0.1)) as connection:
        assert connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) == 4096
        assert connection.execute("PRAGMA data_version").fetchone() is not None
        for sql in ("PRAGMA journal_mode", "PRAGMA mmap_size", "BEGIN", "DELETE FROM rows"):
            with pytest.raises(sqlite3.DatabaseError):
                connection.execute(sql)
        connection.set_authorizer(None)
        for pragma, value in {
            "mmap_size": 0,
            "trusted_schema": 0,
            "cell_size_check": 1,
            "query_only": 1,
            "busy_timeout": 100,
        }.items():
            assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_a_query_ends_with_its_request() -> None:
    clock = RequestClock()
    clock.until = monotonic() + 60
    clock.start(0.5)
    assert not clock.is_over()
    clock.until = monotonic()
    clock.start(0.5)
    assert clock.is_over()
