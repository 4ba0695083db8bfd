"""The rows of a database, through the commands that edit them: choice of a table, and faults."""

import sqlite3
from functools import partial
from pathlib import Path

import pytest
from click import Command

from opensmtpd.table import Service
from opensmtpd_cli.commands.accounts.command import alias, domain, user
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from unit.support.account_commands import TABLES, content, done, make, refused

pytestmark = pytest.mark.usefixtures("quick_hash")


def test_a_choice_of_tables(tmp_path: Path) -> None:
    database = make(
        tmp_path / "mail.db",
        CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,)),
        CatalogueEntry("virtual", RowKind.MAPPING, (Service.ALIAS,)),
        CatalogueEntry("unused", RowKind.MAPPING),
    )
    reason = "more than one table has the service alias: aliases, virtual; choose with --table"
    assert refused(alias, "add", database, "info", "bob") == reason
    assert refused(alias, "list", database) == reason
    done(alias, "add", database, "info", "bob", "--table", "virtual")
    done(alias, "add", database, "info", "eve", "--table", "unused")
    assert content(database, "virtual") == [("info", "bob")]
    assert content(database, "unused") == [("info", "eve")]
    assert content(database, "aliases") == []


def test_a_table_that_does_not_fit(database: str) -> None:
    for name in ("domains", "nosuch", "smtpd_tables"):
        reason = refused(alias, "list", database, "--table", name)
        assert reason == f"there is no table {name} with rows of the kind mapping"
    reason = refused(alias, "list", database, "--table", "alias")
    assert reason.endswith("of the kind mapping; did you mean aliases?")


@pytest.mark.parametrize(
    ("command", "service", "remedy"),
    [
        (alias, "alias", "import an smtpd.conf that has one"),
        (domain, "domain", "name one with --table: hosts, others"),
        (user, "credentials", "add the first user: opensmtpd-plugins user add {} NAME"),
    ],
)
def test_no_table(tmp_path: Path, command: Command, service: str, remedy: str) -> None:
    unused = [CatalogueEntry(name, RowKind.LIST) for name in ("hosts", "others")]
    database = make(tmp_path / "mail.db", *unused)
    remedy = remedy.format(database)
    reason = f"{database}: no table has the service {service}; {remedy}"
    assert refused(command, "list", database) == reason


COMMANDS = [
    (user, ["add", "alice"]),
    (user, ["passwd", "alice"]),
    (user, ["remove", "alice"]),
    (user, ["list"]),
    (alias, ["add", "info", "bob"]),
    (alias, ["remove", "info"]),
    (alias, ["list"]),
    (domain, ["add", "example.org"]),
    (domain, ["remove", "example.org"]),
    (domain, ["list"]),
]


@pytest.mark.parametrize(("command", "argv"), COMMANDS)
def test_no_database(tmp_path: Path, command: Command, argv: list[str]) -> None:
    path = tmp_path / "none.db"
    reason = refused(command, argv[0], str(path), *argv[1:], stdin="one\n")
    assert reason.startswith(f"{path}: there is no such database")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "argv"), COMMANDS)
def test_another_file(tmp_path: Path, command: Command, argv: list[str]) -> None:
    path = tmp_path / "text"
    path.write_text("text" * 1000)
    reason = refused(command, argv[0], str(path), *argv[1:], stdin="one\n")
    assert reason == f"{path}: is no SQLite database; give one that import has written"
    assert path.read_text() == "text" * 1000


@pytest.mark.parametrize(("command", "argv"), COMMANDS)
def test_another_database(tmp_path: Path, command: Command, argv: list[str]) -> None:
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE other (x)")
    db.close()
    before = path.read_bytes()
    reason = refused(command, argv[0], str(path), *argv[1:], stdin="one\n")
    assert reason.startswith(f"{path}: a database with another schema")
    assert path.read_bytes() == before


@pytest.mark.parametrize(("command", "argv"), [each for each in COMMANDS if each[1] != ["list"]])
def test_a_lock(
    database: str, monkeypatch: pytest.MonkeyPatch, command: Command, argv: list[str]
) -> None:
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("sqlite3.connect", partial(sqlite3.connect, timeout=0.01))
    reason = refused(command, argv[0], database, *argv[1:], stdin="one\n")
    other.close()
    assert reason == (
        f"{database}: nothing was done: another program is using it;"
        " try again, or stop what uses it"
    )
    assert all(not content(database, entry.name) for entry in TABLES)


def test_a_list_while_another_writes(database: str) -> None:
    done(alias, "add", database, "info", "bob")
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM aliases")
    assert done(alias, "list", database) == "info\tbob\n"
    other.close()
