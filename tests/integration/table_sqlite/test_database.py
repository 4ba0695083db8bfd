"""A database that is missing, locked, broken or another one, and updates: beside the C original.

What a running smtpd makes of it is in test_table_faults.py.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration.support.table_pair import Both, connect, insert, kind, lay_out
from lab.peers.table_client import Died, TableClient, original, ours


@contextmanager
def locked(folder: Path) -> Iterator[sqlite3.Connection]:
    with connect(folder) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield db
        if db.in_transaction:
            db.execute("ROLLBACK")
    db.close()


def descriptors(table: TableClient) -> int:
    return len(list(Path(f"/proc/{table.process.pid}/fd").iterdir()))


def test_a_missing_database(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    path = tmp_path / "test.db"
    path.rename(tmp_path / "away.db")
    with TableClient(ours("table-sqlite"), conf) as table:
        assert kind(table.lookup("alias", b"k")) == b"error"
        assert kind(table.update()) == b"error"
        assert not path.exists()
        (tmp_path / "away.db").rename(path)
        insert(tmp_path, "alias", "v")
        assert table.lookup("alias", b"k") == b"found|v"
    path.unlink()
    with pytest.raises(Died):
        TableClient(original(trixie_root, "table-sqlite"), conf)
    assert path.stat().st_size == 0  # it has made one


def test_a_database_locked_at_the_start(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    with locked(tmp_path):
        with pytest.raises(Died):
            TableClient(original(trixie_root, "table-sqlite"), conf)
        table = TableClient(ours("table-sqlite"), conf)
    with table:
        assert table.lookup("alias", b"k") == b"found|v"


def test_a_database_locked_for_a_moment(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "old")
    with Both(trixie_root, conf) as both:
        lock = sqlite3.connect(tmp_path / "test.db", isolation_level=None, check_same_thread=False)
        lock.execute("BEGIN EXCLUSIVE")
        assert both.theirs.lookup("alias", b"k") == b"error"
        lock.execute("UPDATE one SET value = 'new'")
        release = threading.Timer(0.3, lock.execute, ["COMMIT"])
        release.start()
        assert both.ours.lookup("alias", b"k") == b"found|new"
        release.join()
        lock.close()


def test_a_database_that_stays_locked(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both:
        with locked(tmp_path):
            assert both.ask(b"lookup", "alias", b"k") == b"error"
            assert kind(both.ours.update()) == b"error"
        assert both.ask(b"lookup", "alias", b"k") == b"found|v"


def test_another_database_under_the_name(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "old")
    with Both(trixie_root, conf) as both:
        both.ask(b"lookup", "alias", b"k")
        other = tmp_path / "other"
        other.mkdir()
        lay_out(other)
        insert(other, "alias", "new")
        (other / "test.db").rename(tmp_path / "test.db")
        assert both.theirs.lookup("alias", b"k") == b"found|old"
        assert both.ours.lookup("alias", b"k") == b"found|new"


def test_a_database_that_goes_and_comes(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both:
        (tmp_path / "test.db").rename(tmp_path / "away.db")
        assert both.theirs.lookup("alias", b"k") == b"found|v"
        assert kind(both.ours.lookup("alias", b"k")) == b"error"
        (tmp_path / "away.db").rename(tmp_path / "test.db")
        assert both.ask(b"lookup", "alias", b"k") == b"found|v"


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000])
def test_a_broken_database(trixie_root: Path, tmp_path: Path, content: bytes) -> None:
    """The C program stays with the one that it knew until it is asked to update."""
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    good = (tmp_path / "test.db").read_bytes()
    with TableClient(ours("table-sqlite"), conf) as table:
        assert table.lookup("alias", b"k") == b"found|v"
        (tmp_path / "test.db").write_bytes(content)
        assert kind(table.lookup("alias", b"k")) == b"error"
        assert kind(table.update()) == b"error"
        (tmp_path / "test.db").write_bytes(good)
        assert table.lookup("alias", b"k") == b"found|v"


def test_a_table_renamed_and_named_back(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both, connect(tmp_path) as db:
        db.execute("ALTER TABLE one RENAME TO two")
        assert both.ask(b"lookup", "alias", b"k") == b"error"
        db.execute("ALTER TABLE two RENAME TO one")
        assert both.ask(b"lookup", "alias", b"k") == b"found|v"
    db.close()


# --- update -------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["query_alias nonsense", "fetch_source_expire x"])
def test_a_failed_update(trixie_root: Path, tmp_path: Path, broken: str) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both:
        conf.write_text(f"dbpath {tmp_path}/test.db\n{broken}\n")
        assert both.theirs.update() == b"ok"
        assert both.ours.update().startswith(b"error|")
        assert both.ask(b"lookup", "alias", b"k") == b"found|v"
        conf.unlink()
        assert both.theirs.update() == b"ok"
        assert both.ours.update().startswith(b"error|")
        assert both.ask(b"lookup", "alias", b"k") == b"found|v"


def test_descriptors(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both:
        both.ask(b"lookup", "alias", b"k")
        theirs, mine = descriptors(both.theirs), descriptors(both.ours)
        for _ in range(10):
            assert both.ask(b"update") == b"ok"
            both.ask(b"lookup", "alias", b"k")
        assert descriptors(both.theirs) == theirs + 10
        assert descriptors(both.ours) == mine


def test_no_dbpath(trixie_root: Path, tmp_path: Path) -> None:
    """The C program makes an empty database of its own."""
    conf = lay_out(tmp_path, "query_alias SELECT 'v' WHERE ? != ''\n")
    with TableClient(original(trixie_root, "table-sqlite"), conf) as table:
        assert table.lookup("alias", b"k") == b"found|v"
    with pytest.raises(Died):
        TableClient(ours("table-sqlite"), conf)


def test_no_query(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path, "dbpath {folder}/test.db\n")
    with TableClient(original(trixie_root, "table-sqlite"), conf) as table:
        assert table.lookup("alias", b"k") == b"error"
    with pytest.raises(Died):
        TableClient(ours("table-sqlite"), conf)
