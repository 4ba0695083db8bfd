"""Tables that come into being with their first row, and their configuration files."""

import os
import sqlite3
from types import TracebackType

import click

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database import queries, schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.lexer import written
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import table_support, users
from opensmtpd_cli.system.new_files import NewFiles


class NewTables:
    """Use it in ``with`` around a transaction: what is not kept at its end goes away again."""

    def __init__(self, database: str) -> None:
        self._database = os.path.abspath(database)
        self._files = NewFiles(force=False)
        self._lines: dict[str, str] = {}
        self._placed = False

    def __enter__(self) -> "NewTables":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._placed:
            self._files.undo()
        self._files.__exit__(kind, error, trace)

    def table(self, db: sqlite3.Connection, service: Service, kind: RowKind) -> CatalogueEntry:
        """Make a table called as its service. Raises ConfigError where that cannot be."""
        table_support.demand()
        entry = CatalogueEntry(service.value, kind, (service,))
        if any(other.name.lower() == entry.name for other in schema.entries(db)):
            message = f"no table has the service {service}, and that called so is for another"
            raise ConfigError(message, path=self._database, remedy="name a table with --table")
        schema.create_table(db, entry)
        path = os.path.join(os.path.dirname(self._database), f"{entry.name}.conf")
        self._lines[path] = f"table {written(entry.name)} {written('sqlite:' + path)}"
        with self._files.new(path, users.give_to_all) as file:
            file.write(schema.encoded(queries.configuration(entry, self._database)))
        return entry

    @property
    def paths(self) -> list[str]:
        """The paths of the configuration files."""
        return list(self._lines)

    def place(self) -> None:
        """Give the files their names. Raises OSError. To be called before the commit."""
        self._files.place()
        self._placed = True

    def keep(self) -> None:
        """All went well: print the lines for smtpd.conf. To be called behind the commit."""
        self._placed = False  # even if nobody can be told
        for line in self._lines.values():
            click.echo(line)
