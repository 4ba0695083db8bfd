"""Tables that come into being with their first row, and their configuration files."""

import os
from types import TracebackType

import click

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database import locations, schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.database.store import Store
from opensmtpd_cli.smtpdconf.lexer import written
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import table_support, users
from opensmtpd_cli.system.new_files import NewFiles


class NewTables:
    """Use it in ``with`` around a transaction: files that are not placed at its end go away."""

    def __init__(self, database: str) -> None:
        self._place = locations.parse(database)
        self._files = NewFiles(force=None)
        self._targets: dict[str, str] = {}
        self._names: list[str] = []

    def __enter__(self) -> "NewTables":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def table(self, store: Store, service: Service, kind: RowKind) -> CatalogueEntry:
        """Make a table called as its service. Raises ConfigError where that cannot be."""
        table_support.demand()
        entry = CatalogueEntry(service.value, kind, (service,))
        if any(other.name.lower() == entry.name for other in store.entries()):
            message = f"no table has the service {service}, and that called so is for another"
            raise ConfigError(message, path=self._place.name, remedy="name a table with --table")
        store.create_table(entry)
        path = os.path.join(os.path.dirname(self._place.path), f"{entry.name}.conf")
        self._targets[path] = self._place.target(path)
        self._names.append(entry.name)
        secret = self._place.on_server
        give = users.give_to_smtpd if secret else users.give_to_all
        with self._files.new(path, give, secret=secret) as file:
            file.write(schema.encoded(self._place.configuration(entry)))
        return entry

    @property
    def paths(self) -> list[str]:
        """The paths of the configuration files."""
        return list(self._targets)

    @property
    def targets(self) -> list[str]:
        """TYPE:PATH of the tables, as in smtpd.conf."""
        return list(self._targets.values())

    def commit(self, store: Store) -> None:
        """Give the files their names, and end the transaction, or undo both. Raises OSError."""
        self._files.place(commit=store.commit)

    def print(self) -> None:
        """Print the lines for smtpd.conf."""
        for name, target in zip(self._names, self.targets, strict=True):
            click.echo(f"table {written(name)} {written(target)}")
