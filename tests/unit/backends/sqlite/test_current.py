"""Stamps of a database: given while nothing has changed, and where the answer depends on that."""

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from opensmtpd.backends import rest
from opensmtpd.backends.rest import Status
from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite import current, file
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.backends.sqlite.file import DatabaseFile, State
from opensmtpd.errors import Unavailable
from unit.support.sqlite_files import create, fill, locked, opened, put, write, write_elsewhere

CHANGE = "UPDATE rows SET value = 'eve'"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row."""
    return create(tmp_path / "test.db", alice="bob")


@pytest.fixture(autouse=True)
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the file system of the tests for a local one, whatever it is."""
    monkeypatch.setattr(current, "is_local", lambda path: True)


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files rest at once: here no two changes come in one tick."""
    monkeypatch.setattr(rest, "REST", -3600.0)


def asked(database: Database, query: Statement) -> object:
    """Ask until there is a stamp, which takes two questions: one opens it, one learns."""
    for _ in range(2):
        database.row(query, "alice")
        stamp = database.stamp(query)
    return stamp


@pytest.mark.usefixtures("rested")
def test_a_stamp_lasts_as_long_as_the_database_is_open(path: Path) -> None:
    database, query = opened(path)
    assert database.stamp(query) is None  # nobody has asked anything
    stamp = asked(database, query)
    assert stamp is not None
    assert stamp == database.stamp(query)
    database.close()
    assert database.stamp(query) is None


def test_a_file_that_was_just_written_has_none(path: Path) -> None:
    database, query = opened(path)
    assert asked(database, query) is None


def test_it_has_one_when_it_has_rested(path: Path) -> None:
    database, query = opened(path)
    end = time.monotonic() + 60
    while asked(database, query) is None:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert time.time() - path.stat().st_ctime >= rest.REST


@pytest.mark.usefixtures("rested")
def test_after_any_change_there_is_none_until_the_database_was_asked(path: Path) -> None:
    database, query = opened(path)
    stamps = [asked(database, query)]
    other = path.with_name("other.db")
    for act in (
        lambda: write(path, CHANGE),
        lambda: create(other).rename(path),
        lambda: path.write_bytes(create(path.with_name("third.db"), alice="x").read_bytes()),
        lambda: os.utime(path, ns=(1, 1)),
        lambda: write(path, "CREATE TABLE more (x)"),
        lambda: path.chmod(0o600),
    ):
        act()
        assert database.stamp(query) is None
        stamps.append(asked(database, query))
        assert stamps[-1] is not None
        assert stamps[-1] not in stamps[:-1]


@pytest.mark.usefixtures("rested")
def test_a_file_that_goes_and_comes(path: Path) -> None:
    database, query = opened(path)
    assert asked(database, query) is not None
    away = path.rename(path.with_name("away.db"))
    assert database.stamp(query) is None
    with pytest.raises(Unavailable):
        database.row(query, "alice")
    away.rename(path)
    assert database.stamp(query) is None
    assert asked(database, query) is not None


@pytest.mark.usefixtures("rested")
def test_the_version_of_a_database_that_rests_needs_no_lock(path: Path) -> None:
    database, query = opened(path)
    assert asked(database, query) is not None
    version = database.version()
    with locked(path):
        assert database.version() == version
    write(path, CHANGE)
    changed = database.version()
    assert changed != version
    create(path.with_name("other.db")).rename(path)
    assert database.version() not in (version, changed)


@pytest.mark.usefixtures("rested")
def test_a_writer_who_has_written_nothing_yet_changes_no_stamp(path: Path) -> None:
    database, query = opened(path)
    stamp = asked(database, query)
    with locked(path):
        assert database.stamp(query) == stamp
    assert database.stamp(query) == stamp


@pytest.mark.usefixtures("rested")
def test_wal_mode_has_none(path: Path) -> None:
    database, query = opened(path)
    assert asked(database, query) is not None
    write(path, "PRAGMA journal_mode = WAL")
    assert database.stamp(query) is None
    with pytest.raises(Unavailable, match="WAL"):
        database.row(query, "alice")
    assert database.stamp(query) is None
    write(path, "PRAGMA journal_mode = DELETE", CHANGE)
    assert database.row(query, "alice") == ("eve",)


@pytest.mark.usefixtures("rested")
@pytest.mark.parametrize("sql", ["SELECT random() FROM rows WHERE key = ?", "SELECT x FROM rows"])
def test_a_statement_that_is_not_steady_has_none(path: Path, sql: str) -> None:
    database, query = opened(path)
    other = Statement("query_string", sql, 3)
    assert asked(database, query) is not None
    other.parameters = 1
    for _ in range(3):
        assert database.stamp(other) is None
        with suppress(Unavailable):
            database.row(other, "alice")
    assert asked(database, query) is not None


@pytest.mark.usefixtures("rested")
def test_a_view_that_becomes_another_one(path: Path) -> None:
    write(path, "CREATE VIEW seen AS SELECT key, value FROM rows")
    database, query = opened(path)
    query.sql = "SELECT value FROM seen WHERE key = ?"
    assert asked(database, query) is not None
    write(path, "DROP VIEW seen", "CREATE VIEW seen AS SELECT key, random() AS value FROM rows")
    assert asked(database, query) is None


@pytest.mark.usefixtures("rested")
def test_another_file_system_has_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "is_local", lambda path: False)
    database, query = opened(path)
    assert asked(database, query) is None
    with database.snapshot():
        assert database.stamp(query) is None


@pytest.mark.usefixtures("rested")
def test_a_stamp_waits_for_no_lock_and_leaves_none(path: Path) -> None:
    database, query = opened(path)
    with locked(path):
        assert database.stamp(query) is None
    database.row(query, "alice")
    with locked(path):
        assert database.stamp(query) is None  # what the statement uses is learnt by a query
    assert write_elsewhere(path, "BEGIN EXCLUSIVE") == ""
    assert asked(database, query) is not None
    with locked(path):
        assert database.stamp(query) is not None
    assert write_elsewhere(path, CHANGE) == ""


@pytest.mark.usefixtures("rested")
def test_a_question_is_held_with_its_stamp(path: Path) -> None:
    database, query = opened(path)
    stamp = asked(database, query)
    with database.hold():
        assert database.stamp(query) == stamp
        assert write_elsewhere(path, CHANGE) == "database is locked"
        assert database.row(query, "alice") == ("bob",)
    assert write_elsewhere(path, CHANGE) == ""
    with database.hold():
        assert database.stamp(query) is None  # it has just been opened
        assert database.row(query, "alice") == ("eve",)


def test_what_cannot_be_held_says_why_at_once(path: Path) -> None:
    database, query = opened(path)
    with locked(path), pytest.raises(Unavailable, match="locked"), database.hold():
        raise AssertionError
    with database.hold():
        assert database.row(query, "alice") == ("bob",)
    assert write_elsewhere(path, CHANGE) == ""


@pytest.mark.usefixtures("rested")
def test_a_file_at_rest_is_not_judged_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header was read when it was opened, and is the same as long as the status is."""
    database, query = opened(path)
    assert asked(database, query) is not None
    judged: list[str] = []
    state = DatabaseFile.state

    def note(file: DatabaseFile, status: Status) -> State:
        judged.append(file.path)
        return state(file, status)

    monkeypatch.setattr(DatabaseFile, "state", note)
    for _ in range(3):
        assert database.row(query, "alice") == ("bob",)
    assert judged == []
    write(path, CHANGE)
    assert database.row(query, "alice") == ("eve",)
    assert judged != []


@pytest.mark.usefixtures("rested")
def test_a_snapshot_has_the_stamp_of_its_beginning(path: Path) -> None:
    database, query = opened(path)
    stamp = asked(database, query)
    with database.snapshot():
        assert database.stamp(query) == stamp
        create(path.with_name("new.db"), alice="eve").rename(path)
        assert database.stamp(query) == stamp
        assert database.row(query, "alice") == ("bob",)
    assert database.stamp(query) is None
    assert database.row(query, "alice") == ("eve",)


def test_a_snapshot_of_a_file_that_does_not_rest_has_none(path: Path) -> None:
    database, query = opened(path)
    with database.snapshot():
        assert asked(database, query) is None


@pytest.mark.usefixtures("rested")
def test_a_database_that_is_opened_anew_in_a_snapshot_has_none(path: Path) -> None:
    database, query = opened(path)
    assert asked(database, query) is not None
    bad = Statement("query_domain", "SELECT nothing FROM rows", 1)
    bad.parameters = 0
    with database.snapshot():
        with pytest.raises(Unavailable):
            database.row(bad, "alice")
        database.row(query, "alice")
        assert asked(database, query) is None


@pytest.mark.usefixtures("rested")
def test_a_crash_that_left_a_half_change_has_none(path: Path) -> None:
    fill(path)
    database, query = opened(path)
    assert asked(database, query) is not None
    before = path.read_bytes()
    put(path, carol="dave")
    half = bytearray(path.read_bytes())
    path.with_name("test.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))
    path.write_bytes(half)
    assert len(before) <= len(half)
    assert database.stamp(query) is None
    for _ in range(2):
        with pytest.raises(Unavailable, match="interrupted"):
            database.row(query, "alice")
        assert database.stamp(query) is None


@pytest.mark.parametrize("change", [CHANGE, "PRAGMA journal_mode = WAL"])
def test_a_change_within_the_tick_of_the_last_one_that_was_seen(
    path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves the status as it is, and nobody asks until the file rests."""
    for module in (current, file):
        monkeypatch.setattr(
            module, "status_of", lambda found: (1, found.st_ino, found.st_size, 0, 0)
        )
    monkeypatch.setattr(rest, "REST", 0.2)
    database, query = opened(path)
    asked(database, query)
    write(path, change)
    time.sleep(0.3)
    if change == CHANGE:
        assert database.row(query, "alice") == ("eve",)
        assert asked(database, query) is not None
    else:
        with pytest.raises(Unavailable, match="WAL"):
            database.row(query, "alice")
