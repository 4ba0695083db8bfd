"""The old database while ``import --force`` replaces it: who uses it, and what lies beside it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd_cli.commands.migrate import import_, lock
from opensmtpd_cli.commands.migrate.rows import fill as original
from unit.support.swap import Program, guide, listing, rows


@pytest.fixture
def user(old: Path, db: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """Somebody who has the old database open."""
    monkeypatch.setattr(lock, "WAIT", 0.05)
    return sqlite3.connect(db, isolation_level=None)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("statement", ["INSERT INTO users VALUES ('new')", "SELECT * FROM users"])
def test_one_that_is_in_use(
    run: Program,
    old: Path,
    db: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: sqlite3.Connection,
    mode: str,
    statement: str,
) -> None:
    """The use begins when the import has begun."""
    before = listing(db.parent)

    def fill(*arguments: object) -> int:
        if not user.in_transaction:
            user.execute(f"PRAGMA journal_mode = {mode}")
            user.execute("BEGIN")
            user.execute(statement)
        return original(*arguments)  # type: ignore[arg-type]

    with closing(user):
        monkeypatch.setattr(import_, "fill", fill)
        said = run("import", "--force", old, db)
        assert (said.status, said.out) == (1, "")
        assert said.err == (
            f"opensmtpd-plugins: {db}: is in use; stop what uses it, or try again\n"
        )
        user.execute("COMMIT")
        user.execute("PRAGMA journal_mode = DELETE")
    after = listing(db.parent)
    assert before.keys() == after.keys()
    assert before["users.conf"] == after["users.conf"]
    assert rows(db, "hosts") == [("x",)]


def test_a_journal_that_comes_in_between(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody begins a database of this name, and is gone."""
    journal = Path(f"{db}-journal")

    def fill(*arguments: object) -> int:
        journal.write_bytes(b"x")
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(import_, "fill", fill)
    assert f"{journal}: belongs to" in run("import", "--force", guide(mail), db).err
    assert listing(db.parent) == {journal.name: b"x"}


def test_who_had_the_old_one_open_writes_nothing_into_the_new_one(
    run: Program, old: Path, db: Path, user: sqlite3.Connection
) -> None:
    with closing(user):
        assert user.execute("SELECT * FROM users").fetchall() == [("old",)]
        assert run("import", "--force", old, db).status == 0
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            user.execute("INSERT INTO users VALUES ('new')")
        assert not Path(f"{db}-journal").exists()
        assert rows(db, "users") == [("alice", "alice@example.com")]


def test_no_journal_lies_beside_the_new_one(run: Program, old: Path, db: Path) -> None:
    with closing(sqlite3.connect(db)) as user:
        user.execute("PRAGMA journal_mode = WAL")
    assert run("import", "--force", old, db).status == 0
    assert {name for name in listing(db.parent) if not name.endswith(".conf")} == {db.name}
    assert rows(db, "users") == [("alice", "alice@example.com")]


@pytest.mark.parametrize("content", [b"precious", b"\0" * 4096, b"SQLite format 3\0" + b"\1" * 500])
def test_what_is_no_database_stays(run: Program, mail: Path, db: Path, content: bytes) -> None:
    db.write_bytes(content)
    said = run("import", "--force", guide(mail), db)
    assert said.status == 1
    assert said.err == (
        f"opensmtpd-plugins: {db}: is no SQLite database, and is not replaced;"
        " remove it, or choose another place\n"
    )
    assert listing(db.parent) == {db.name: content}


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_what_an_old_database_left(run: Program, mail: Path, db: Path, suffix: str) -> None:
    """SQLite would play it into the new database."""
    left = Path(f"{db}{suffix}")
    left.write_bytes(b"x")
    said = run("import", "--force", guide(mail), db)
    assert said.status == 1
    assert f"{left}: belongs to a database of this name" in said.err
    assert listing(db.parent) == {left.name: b"x"}


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_what_lies_beside_the_database_behind_a_link(
    run: Program, old: Path, db: Path, suffix: str
) -> None:
    real = old.parent / "real"
    db.rename(real)
    db.symlink_to(real)
    Path(f"{real}{suffix}").write_bytes(b"x")
    assert f"{real}{suffix}: belongs to a database" in run("import", "--force", old, db).err
