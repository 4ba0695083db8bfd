"""A place that has tables and their rows: an SQLite database, or one on a server."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from opensmtpd.errors import ConfigError, did_you_mean
from opensmtpd.table import Service
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

Cell: TypeAlias = str | int
StoreRow: TypeAlias = tuple[Cell, ...]


class Store(Protocol):
    """Tables and their rows, as they are in one transaction.

    Keys are in lower case, and text that is no UTF-8 has surrogates. The methods raise ConfigError,
    or an error of the database's library, for which ``locations.opened`` has one line.
    """

    def entries(self) -> list[CatalogueEntry]:
        """Return the tables, by name."""

    def create_table(self, entry: CatalogueEntry) -> None:
        """Make one more table."""

    def has(self, entry: CatalogueEntry, key: str) -> bool:
        """Return whether there is a row with this key."""

    def insert(self, entry: CatalogueEntry, *row: Cell) -> None:
        """Add a row. Raises ConfigError where its key is there already."""

    def fill(self, entry: CatalogueEntry, rows: Iterable[StoreRow]) -> None:
        """Add rows to a table that is empty, and whose keys differ."""

    def set_password(self, entry: CatalogueEntry, key: str, hash: str) -> bool:
        """Change the hash of a user; return whether there is one."""

    def delete(self, entry: CatalogueEntry, key: str) -> bool:
        """Remove a row; return whether it was there."""

    def every(self, entry: CatalogueEntry, *columns: str) -> Iterator[StoreRow]:
        """Yield these columns of all rows, by key in the order of its bytes."""

    def commit(self) -> None:
        """Make all changes count, before the end of the transaction does it."""


def there_already(entry: CatalogueEntry, key: Cell) -> ConfigError:
    """Return the error for a key that a table has."""
    return ConfigError(f"{key} is in {entry.name} already")


def having(store: Store, service: Service, kind: RowKind) -> list[CatalogueEntry]:
    """Return the tables of a service, with rows of this kind."""
    return [entry for entry in store.entries() if entry.kind is kind and service in entry.services]


def chosen(
    store: Store, service: Service, kind: RowKind, name: str | None
) -> CatalogueEntry | None:
    """Return the table called ``name``, or the one of a service; None where there is none.

    Raises ConfigError for a name that does not fit, and for a choice that has to be made.
    """
    if name is not None:
        entries = store.entries()
        for entry in entries:
            if entry.name == name and entry.kind is kind:
                return entry
        fit = [entry.name for entry in entries if entry.kind is kind]
        fault = f"there is no table {name} with rows of the kind {kind}"
        raise ConfigError(f"{fault}{did_you_mean(name, fit)}")
    found = having(store, service, kind)
    if len(found) > 1:
        names = ", ".join(entry.name for entry in found)
        raise ConfigError(
            f"more than one table has the service {service}: {names}", remedy="choose with --table"
        )
    return found[0] if found else None
