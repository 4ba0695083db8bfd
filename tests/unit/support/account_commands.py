"""``user``, ``alias`` and ``domain`` in this process, and a database for them."""

import sqlite3
from pathlib import Path

from click import Command
from click.testing import CliRunner, Result

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database import schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

TABLES = (
    CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,)),
    CatalogueEntry("domains", RowKind.LIST, (Service.DOMAIN,)),
    CatalogueEntry("logins", RowKind.CREDENTIALS, (Service.CREDENTIALS,)),
    CatalogueEntry("hosts", RowKind.LIST, ()),
)


def make(path: Path, *entries: CatalogueEntry) -> str:
    """Make a database with empty tables, and return its path."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    schema.create(db, entries)
    db.execute("COMMIT")
    db.close()
    return str(path)


def run(command: Command, *argv: str, stdin: str | bytes = "") -> Result:
    """Run a command to its end."""
    return CliRunner().invoke(command, list(argv), input=stdin)


def done(command: Command, *argv: str, stdin: str | bytes = "") -> str:
    """Run a command that succeeds, and return its output."""
    result = run(command, *argv, stdin=stdin)
    assert (result.exit_code, result.exception) == (0, None), result.output
    return result.output


def refused(command: Command, *argv: str, stdin: str | bytes = "") -> str:
    """Run a command that fails with a ConfigError, and return the reason."""
    result = run(command, *argv, stdin=stdin)
    assert isinstance(result.exception, ConfigError), result.output
    return str(result.exception)


def content(database: str, table: str) -> list[tuple[object, ...]]:
    """Return all rows of a table."""
    db = sqlite3.connect(database)
    try:
        return db.execute(f"SELECT * FROM {table}").fetchall()
    finally:
        db.close()


def dump(database: str) -> list[str]:
    """Return the statements that would make the same database."""
    db = sqlite3.connect(database)
    try:
        return list(db.iterdump())
    finally:
        db.close()
