"""Tables that a database gets with the first user: all of what belongs to one, or nothing."""

import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from opensmtpd.table import Service
from opensmtpd_cli.commands.accounts.command import user
from opensmtpd_cli.database import sqlite
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import users
from unit.support.account_commands import content, done, dump, make, refused

pytestmark = pytest.mark.usefixtures("quick_hash")


def test_the_first_user_of_a_database(place: Path) -> None:
    database = make(place / "mail.db")
    said = done(user, "add", database, "alice", stdin="one\n")
    assert said == (
        f"table credentials sqlite:{place}/credentials.conf\nadded alice to credentials\n"
    )
    assert content(database, "smtpd_tables") == [("credentials", "credentials", "credentials")]
    assert content(database, "credentials") == [("alice", "alice", "$x$eno")]
    text = (place / "credentials.conf").read_text()
    assert 'query_credentials SELECT user, password FROM "credentials" WHERE key = ?\n' in text
    assert (place / "credentials.conf").stat().st_mode & 0o777 == 0o644


def test_a_configuration_file_is_not_replaced(tmp_path: Path) -> None:
    database = make(tmp_path / "mail.db")
    (tmp_path / "credentials.conf").write_text("mine")
    before = dump(database)
    reason = refused(user, "add", database, "alice", stdin="one\n")
    assert reason.startswith(f"{tmp_path}/credentials.conf: is there already; ")
    assert dump(database) == before
    assert (tmp_path / "credentials.conf").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["credentials.conf", "mail.db"]


def test_nothing_is_left_of_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = make(tmp_path / "mail.db")
    before = dump(database)

    def insert(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite.SqliteStore, "insert", insert)
    reason = refused(user, "add", database, "alice", stdin="one\n")
    assert reason == f"{database}: nothing was done: database or disk is full"
    assert dump(database) == before
    assert [path.name for path in tmp_path.iterdir()] == ["mail.db"]


def test_a_commit_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration file has its name already, and must go again."""
    database = make(tmp_path / "mail.db")

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
            if sql == "COMMIT" and self.total_changes:
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("sqlite3.connect", partial(sqlite3.connect, factory=Full))
        reason = refused(user, "add", database, "alice", stdin="one\n")
    assert reason == f"{database}: nothing was done: disk I/O error"
    assert content(database, "smtpd_tables") == []
    assert [path.name for path in tmp_path.iterdir()] == ["mail.db"]


def test_a_reader_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is written at the commit alone, and the file has its name by then."""
    database = make(tmp_path / "mail.db")
    before = dump(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM smtpd_tables")
        with monkeypatch.context() as patch:
            patch.setattr("sqlite3.connect", partial(sqlite3.connect, timeout=0.01))
            reason = refused(user, "add", database, "alice", stdin="one\n")
        reader.execute("COMMIT")
    assert reason == (
        f"{database}: nothing was done: another program is using it;"
        " try again, or stop what uses it"
    )
    assert dump(database) == before
    assert [path.name for path in tmp_path.iterdir()] == ["mail.db"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as somebody else")
def test_a_configuration_file_that_smtpd_cannot_reach(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "USERS", ("nobody",))
    (place / "shut").mkdir(0o700)
    said = done(user, "add", make(place / "shut" / "mail.db"), "alice", stdin="one\n")
    assert (
        f"{place}/shut/credentials.conf: smtpd cannot read it;"
        f" let user nobody enter the directory {place}/shut\n"
    ) in said


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    """A table that is called credentials, but is none."""
    database = make(
        tmp_path / "mail.db", CatalogueEntry("Credentials", RowKind.MAPPING, (Service.ALIAS,))
    )
    reason = refused(user, "add", database, "alice", stdin="one\n")
    assert "no table has the service credentials, and that called so is for another" in reason
