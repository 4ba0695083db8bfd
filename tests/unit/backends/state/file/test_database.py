"""The file: how it is made, which one is refused, and which one is moved aside."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.backends.state.file.worker import FileWorker
from opensmtpd.backends.state.steps import COUNT
from opensmtpd.errors import ConfigError, Unavailable

SIZE = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def fill(path: Path, rows: int = 2000) -> None:
    """Make a file with rows, all of them in the file itself."""
    with closing(database.opened(str(path), SIZE)) as db:
        store = StepStore(db)
        for number in range(rows):
            store.take(COUNT, b"=%d" % number, 1, 10**12)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def rows(path: Path) -> int:
    with closing(database.opened(str(path), SIZE)) as db:
        found: int = db.execute("SELECT count(*) FROM steps").fetchone()[0]
        return found


def test_a_new_file_is_its_users_alone(path: Path) -> None:
    os.umask(old := os.umask(0))
    try:
        os.umask(0)
        with closing(database.opened(str(path), SIZE)) as db:
            StepStore(db).take(COUNT, b"=a", 1, 10**9)
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}


def test_it_is_in_wal_mode_and_bounded(path: Path) -> None:
    with closing(database.opened(str(path), SIZE)) as db:
        pragmas = {
            name: db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "max_page_count", "user_version")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 1,
        "max_page_count": 256,
        "user_version": 1,
    }


def test_what_was_written_is_there_after_it_was_opened_again(path: Path) -> None:
    fill(path)
    assert rows(path) == 2000
    assert [each.name for each in path.parent.iterdir()] == ["state.db"]


def damage_first_page(data: bytes) -> bytes:
    return b"x" * 4096 + data[4096:]


def damage_an_inner_page(data: bytes) -> bytes:
    return data[: 5 * 4096] + os.urandom(4096) + data[6 * 4096 :]


def damage_the_header_alone(data: bytes) -> bytes:
    return b"x" + data[1:]


def cut_in_the_middle(data: bytes) -> bytes:
    return data[: len(data) // 2 + 100]


def cut_to_a_page(data: bytes) -> bytes:
    return data[:4096]


def another_version(data: bytes) -> bytes:
    return data[:60] + (7).to_bytes(4, "big") + data[64:]


@pytest.mark.parametrize(
    "damage",
    [
        damage_first_page,
        damage_an_inner_page,
        damage_the_header_alone,
        cut_in_the_middle,
        cut_to_a_page,
        another_version,
    ],
)
def test_a_damaged_file_is_moved_aside(
    path: Path, damage: object, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(path)
    assert callable(damage)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    assert rows(path) == 0
    assert Path(f"{path}.damaged").read_bytes() == damaged
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"state-damaged file={path} moved_to={path}.damaged reason=")


def test_the_pages_of_a_large_file_are_not_read_when_it_is_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """They would take seconds; its damage is found by the step that reads it."""
    fill(path)
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(os.urandom(4096))
    monkeypatch.setattr(database, "CHECKED", 5 * 4096)
    with closing(database.opened(str(path), SIZE)):
        assert not Path(f"{path}.damaged").exists()
    worker = FileWorker()
    worker.load([str(path), SIZE, True])
    for number in range(2000):
        assert worker.handle([1e18, COUNT, b"=%d" % number, 1, 10**12]) in (1, 2)
    worker.close()
    assert f"state-damaged file={path} " in capfd.readouterr().err
    monkeypatch.undo()
    assert rows(path) > 0


def test_a_second_one_takes_the_place_of_the_first(path: Path) -> None:
    for text in (b"one" * 2000, b"two" * 2000):
        path.write_bytes(text)
        path.chmod(0o600)
        assert rows(path) == 0
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["state.db", "state.db.damaged"]
    assert Path(f"{path}.damaged").read_bytes() == b"two" * 2000


def test_the_log_of_a_damaged_file_does_not_outlive_it(path: Path) -> None:
    """Or its rows would come back, and its damage with them."""
    db = database.opened(str(path), SIZE)
    StepStore(db).take(COUNT, b"=old", 1, 10**12)
    wal = Path(f"{path}-wal").read_bytes()
    db.close()
    path.write_bytes(b"x" * 8192)
    Path(f"{path}-wal").write_bytes(wal)
    assert rows(path) == 0
    assert not Path(f"{path}-wal").exists()
    assert rows(path) == 0


def test_a_table_that_is_gone_is_damage(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE steps")
        db.execute("CREATE TABLE other (name)")
    assert rows(path) == 0
    assert Path(f"{path}.damaged").exists()


def test_an_empty_file_is_filled(path: Path) -> None:
    path.touch(0o600)
    assert rows(path) == 0
    assert not Path(f"{path}.damaged").exists()


def test_a_database_of_somebody_else_stays(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE users (name)")
    data = path.read_bytes()
    with pytest.raises(ConfigError, match="is another program's; name a new file"):
        database.opened(str(path), SIZE)
    assert path.read_bytes() == data


def test_a_file_that_others_may_write_is_refused_and_stays(path: Path) -> None:
    path.write_bytes(b"table users file:/etc/mail/users\n")
    path.chmod(0o664)
    with pytest.raises(ConfigError, match="others may have written it; remove it"):
        database.opened(str(path), SIZE)
    with pytest.raises(Unavailable, match="others may have written it"):
        database.move_aside(str(path), database.identity(str(path)), "damage")
    assert path.exists()


def test_a_file_that_another_process_has_made_meanwhile_stays(path: Path) -> None:
    path.write_bytes(b"damaged")
    path.chmod(0o600)
    found = database.identity(str(path))
    other = path.with_name("other")
    other.touch(0o600)
    other.rename(path)
    database.move_aside(str(path), found, "damage")
    assert path.read_bytes() == b""
    assert [each.name for each in path.parent.iterdir()] == ["state.db"]


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_what_is_no_file_is_refused(path: Path, kind: str) -> None:
    match kind:
        case "link":
            path.symlink_to(path.parent / "other")
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
    with pytest.raises(ConfigError, match="is no regular file"):
        database.opened(str(path), SIZE)


def test_two_processes_that_make_it_at_once_make_one(path: Path) -> None:
    one, other = (database.opened(str(path), SIZE) for _ in range(2))
    with closing(one), closing(other):
        assert StepStore(one).take(COUNT, b"=a", 1, 10**12) == 1
        assert StepStore(other).take(COUNT, b"=a", 1, 10**12) == 2


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20 \udcff.db"
    assert rows(path) == 0
    assert path.exists()


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    database.check_folder(str(tmp_path / "state.db"))
    with pytest.raises(ConfigError, match="no folder for the state; make it a folder that the fil"):
        database.check_folder(str(tmp_path / "missing" / "state.db"))


def test_errors_that_tell_of_damage() -> None:
    error = sqlite3.DatabaseError()
    assert not database.is_damage(error)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT | 3 << 8
    assert database.is_damage(error)
    assert database.is_damage(database._Damaged())
    assert not database.is_damage(OSError())


# --- for another program --------------------------------------------------------------------------


def test_a_file_that_exists_is_opened_with_the_wait_of_who_opens_it(path: Path) -> None:
    fill(path, 3)
    with closing(database.existing(str(path), 7.0)) as db:
        assert db.execute("SELECT count(*) FROM steps").fetchone() == (3,)
        assert db.execute("PRAGMA busy_timeout").fetchone() == (7000,)
        assert db.execute("PRAGMA trusted_schema").fetchone() == (0,)


def test_what_is_no_state_is_damage_and_stays(path: Path) -> None:
    path.touch()
    with pytest.raises(sqlite3.DatabaseError) as caught:
        database.existing(str(path), 1.0)
    assert database.is_damage(caught.value)
    assert path.read_bytes() == b""
