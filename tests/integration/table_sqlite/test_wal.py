"""A database in WAL mode on a real smtpd: served by a worker, which may die and smtpd does not."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from integration.support.table_faults import DATABASE, FOLDER, path
from integration.support.table_scenes import ALICE
from lab.peers import mail
from lab.shows import moves
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, setups

PATIENCE = 30.0


def prepare(guide: Guide) -> None:
    """Put the database into a folder that smtpd's user may write to, as WAL mode needs."""
    folder = guide.view / FOLDER[1:]
    folder.mkdir()
    moves.to_credentials(guide, DATABASE)
    folder.chmod(0o777)
    file = guide.view / DATABASE[1:]
    file.chmod(0o666)
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode = WAL")


pytestmark = pytest.mark.parametrize("running", setups("wal", prepare), indirect=True, ids=str)


@pytest.fixture
def db(lab: Lab) -> Iterator[sqlite3.Connection]:
    """A writer; each statement is a transaction."""
    with closing(sqlite3.connect(path(lab), isolation_level=None, timeout=PATIENCE)) as db:
        yield db


def beside(lab: Lab, name: str) -> Path:
    return path(lab).with_name(f"{path(lab).name}-{name}")


def recipient(name: str) -> int:
    """Return the code for a recipient in our domain."""
    with mail.connect() as client:
        client.mail(STRANGER)
        return client.rcpt(f"{name}@example.com")[0]


def strangers_mail() -> int:
    """Return the code that a mail from outside ends with."""
    with mail.connect() as client:
        return mail.send(client, STRANGER, ALICE, mail.compose(STRANGER, ALICE, "wal"))[0]


def all_is_well(lab: Lab, before: int = 0) -> None:
    """Mail goes on, after some errors if the machine is busy; ``before`` mails were taken."""
    end = time.monotonic() + PATIENCE
    while (code := strangers_mail()) != 250:
        assert 400 <= code < 500
        assert time.monotonic() < end
    lab.server.check()
    assert {one.folder for one in lab.inbox.take(before + 1)} == {"inbox"}


def workers() -> list[int]:
    """Return the process ids of the workers that read databases in WAL mode."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes().rstrip(b"\0")
            except OSError:  # it has ended
                continue
            if title == b"table-sqlite: wal":
                found.append(int(entry.name))
    return found


def mode(db: sqlite3.Connection, wanted: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            assert db.execute(f"PRAGMA journal_mode = {wanted}").fetchone() == (wanted,)
        except sqlite3.OperationalError:  # it is locked while a table has it open
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


def test_each_commit_counts_at_once(lab: Lab, db: sqlite3.Connection) -> None:
    all_is_well(lab)
    for number in range(20):
        name = f"new{number}"
        assert recipient(name) == 550
        db.execute("INSERT INTO aliases (key, value) VALUES (?, 'alice')", (name,))
        assert recipient(name) == 250
        db.execute("DELETE FROM aliases WHERE key = ?", (name,))
        assert recipient(name) == 550
    assert beside(lab, "wal").stat().st_size


def test_the_mode_changes_while_smtpd_runs(lab: Lab, db: sqlite3.Connection) -> None:
    for number in range(3):
        mode(db, "delete")
        db.execute("INSERT INTO aliases (key, value) VALUES (?, 'alice')", (f"one{number}",))
        assert recipient(f"one{number}") == 250
        mode(db, "wal")
        db.execute("INSERT INTO aliases (key, value) VALUES (?, 'alice')", (f"two{number}",))
        assert recipient(f"two{number}") == 250
    all_is_well(lab)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGBUS, signal.SIGSTOP, signal.SIGTERM])
def test_a_signal_to_all_workers(lab: Lab, db: sqlite3.Connection, number: signal.Signals) -> None:
    all_is_well(lab)
    tables = lab.server.tables()
    for _ in range(3):
        for worker in workers():
            os.kill(worker, number)
        code = strangers_mail()
        assert code in (250, *range(400, 500))
        all_is_well(lab, before=code == 250)
    assert lab.server.tables() == tables


def shrink(file: Path) -> None:
    os.truncate(file, 0)


def spoil(file: Path) -> None:
    with open(file, "r+b") as some:
        some.write(os.urandom(file.stat().st_size))


@pytest.mark.parametrize("names", [("wal",), ("shm",), ("wal", "shm")], ids="-".join)
@pytest.mark.parametrize("damage", [shrink, Path.unlink, spoil])
def test_files_beside_it_that_somebody_breaks(
    lab: Lab, db: sqlite3.Connection, names: tuple[str, ...], damage: Callable[[Path], object]
) -> None:
    """While they are mapped into the memory of workers."""
    db.execute("UPDATE aliases SET value = value")
    good = path(lab).read_bytes()
    all_is_well(lab)
    tables = lab.server.tables()
    for name in names:
        damage(beside(lab, name))
    codes = [strangers_mail() for _ in range(5)]
    assert set(codes) <= {250, *range(400, 500)}
    lab.server.check()
    db.close()
    for name in ("wal", "shm"):
        beside(lab, name).unlink(missing_ok=True)
    path(lab).write_bytes(good)
    all_is_well(lab, before=codes.count(250))
    assert lab.server.tables() == tables


def test_a_table_is_updated(lab: Lab, db: sqlite3.Connection) -> None:
    all_is_well(lab)
    assert moves.smtpctl(lab.guide, "update", "table", "aliases") == "command succeeded"
    db.execute("ALTER TABLE aliases RENAME TO away")
    assert moves.smtpctl(lab.guide, "update", "table", "aliases") == "command failed"
    assert 400 <= strangers_mail() < 500
    db.execute("ALTER TABLE away RENAME TO aliases")
    all_is_well(lab)
