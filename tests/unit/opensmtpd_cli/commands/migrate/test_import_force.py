"""``opensmtpd-plugins import --force``: what it replaces is whole, the old or the new one."""

import grp
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd_cli.commands.migrate import import_, lock
from opensmtpd_cli.commands.migrate import rows as importing_rows
from opensmtpd_cli.system import users
from unit.support.swap import Program, guide, listing, rows, smtpd_conf


@pytest.fixture
def old(run: Program, mail: Path, db: Path) -> Path:
    """A database and configuration file that are there, and smtpd.conf for other ones."""
    assert (
        run("import", smtpd_conf(mail, "table users { old }\ntable hosts { x }\n"), db).status == 0
    )
    guide(mail)
    return mail / "smtpd.conf"


def failing(monkeypatch: pytest.MonkeyPatch, name: str, path: Path, error: BaseException) -> None:
    """Have a function of ``os`` fail for a file that is to be called ``path``."""
    original: Callable[..., None] = getattr(os, name)

    def some(here: str, there: str, **options: bool) -> None:
        if str(path) in (here, there) and not here.endswith(".old"):
            raise error
        original(here, there, **options)

    monkeypatch.setattr(os, name, some)


@pytest.mark.parametrize("function", ["link", "replace"])
@pytest.mark.parametrize("name", ["smtpd.sqlite", "hosts.conf", "users.conf"])
def test_all_or_nothing(
    run: Program, old: Path, db: Path, monkeypatch: pytest.MonkeyPatch, function: str, name: str
) -> None:
    before = listing(db.parent)
    failing(monkeypatch, function, db.parent / name, OSError(16, "Device or resource busy", "tmp"))
    said = run("import", "--force", old, db)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"opensmtpd-plugins: {db.parent}/{name}: Device or resource busy\n"
    assert listing(db.parent) == before
    monkeypatch.undo()
    assert run("import", "--force", old, db).status == 0
    assert len(listing(db.parent)) == 6


def test_new_files_go_away_again(
    run: Program, old: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(db.parent)
    failing(monkeypatch, "link", db.parent / "relayaddr.conf", OSError(28, "No space left"))
    said = run("import", "--force", old, db)
    assert said.err == f"opensmtpd-plugins: {db.parent}/relayaddr.conf: No space left\n"
    assert listing(db.parent) == before


def test_an_interrupt_in_between(
    run: Program, old: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(db.parent)
    failing(monkeypatch, "replace", db.parent / "users.conf", KeyboardInterrupt())
    assert run("import", "--force", old, db).status == 1
    assert listing(db.parent) == before


# --- who uses the old one ---------------------------------------------------------------------


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
    original = importing_rows.fill

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
    original = importing_rows.fill
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


# --- who may read it --------------------------------------------------------------------------


@pytest.fixture
def mine(db: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The group that new files get, which is that of smtpd's user."""
    name = grp.getgrgid(db.parent.stat().st_gid).gr_name
    monkeypatch.setattr(users, "USERS", ("no-such-group", name))
    return name


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_the_group_of_smtpd_reads_it(run: Program, mail: Path, db: Path, mine: str) -> None:
    said = run("import", guide(mail), db)
    assert f"{db}: readable for the group {mine}\n" in said.err
    assert mode(db) == 0o640
    assert mode(db.parent / "users.conf") == 0o644


def test_no_other_group_reads_it(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are password hashes in it."""
    monkeypatch.setattr(users, "USERS", ("no-such-group",))
    said = run("--quiet", "import", guide(mail), db)
    assert mode(db) == 0o600
    assert mode(db.parent / "users.conf") == 0o644
    assert said.err == (
        f"{db}: smtpd's user must be able to read it, as with: chgrp _smtpd {db}"
        f" && chmod 640 {db} (on Debian: chgrp opensmtpd)\n"
    )


@pytest.mark.usefixtures("mine")
def test_what_is_replaced_keeps_its_mode(run: Program, old: Path, db: Path) -> None:
    db.chmod(0o604)
    (db.parent / "users.conf").chmod(0o600)
    said = run("import", "--force", old, db)
    assert f"{db}: readable for everybody\n" in said.err
    assert mode(db) == 0o604
    assert mode(db.parent / "users.conf") == 0o600
    assert mode(db.parent / "aliases.conf") == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_is_replaced_keeps_its_owner(run: Program, old: Path, db: Path) -> None:
    os.chown(db, 12345, 23456)
    assert run("import", "--force", old, db).status == 0
    assert (db.stat().st_uid, db.stat().st_gid) == (12345, 23456)


def test_the_database_behind_a_link_is_replaced(run: Program, old: Path, db: Path) -> None:
    real = old.parent / "real"
    db.rename(real)
    db.symlink_to(real)
    assert run("import", "--force", old, db).status == 0
    assert db.is_symlink()
    assert rows(real, "users") == [("alice", "alice@example.com")]
    text = (db.parent / "users.conf").read_text(encoding="ascii")
    assert text.splitlines()[1] == f"dbpath {db}"


def test_other_links_are_not_followed(run: Program, old: Path, db: Path) -> None:
    conf = db.parent / "users.conf"
    (old.parent / "real").write_bytes(conf.read_bytes())
    conf.unlink()
    conf.symlink_to(old.parent / "real")
    before = listing(db.parent)
    said = run("import", "--force", old, db)
    assert f"{conf}: is no regular file, and is not replaced" in said.err
    assert listing(db.parent) == before


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_what_lies_beside_the_database_behind_a_link(
    run: Program, old: Path, db: Path, suffix: str
) -> None:
    real = old.parent / "real"
    db.rename(real)
    db.symlink_to(real)
    Path(f"{real}{suffix}").write_bytes(b"x")
    assert f"{real}{suffix}: belongs to a database" in run("import", "--force", old, db).err
