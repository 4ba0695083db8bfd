"""Write tables into a new database, or into one on a server, and their configuration files."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.migrate import lock
from opensmtpd_cli.commands.migrate.checks import checks, row_of
from opensmtpd_cli.database import locations, schema, sqlite
from opensmtpd_cli.database.locations import Location
from opensmtpd_cli.database.schema import COLUMNS, CatalogueEntry
from opensmtpd_cli.database.sqlite import SqliteStore
from opensmtpd_cli.database.store import Store, StoreRow
from opensmtpd_cli.system import folders, users
from opensmtpd_cli.system.new_files import NewFiles
from opensmtpd_cli.terminal import shown

if TYPE_CHECKING:
    from opensmtpd_cli.database.redis import RedisStore
    from opensmtpd_cli.database.server import ServerStore


class Target(NamedTuple):
    """A table that has been written, and its configuration file."""

    entry: CatalogueEntry
    rows: int
    path: str


class Counted:
    """The rows of a table, and how many there were."""

    def __init__(self, source: Store, entry: CatalogueEntry) -> None:
        self.count = 0
        self._entry = entry
        self._checks = checks(entry)
        self._rows = source.every(entry, *COLUMNS[entry.kind])

    def __iter__(self) -> Iterator[StoreRow]:
        """Raises ConfigError for a row that somebody else wrote, and smtpd would fail on."""
        for row in self._rows:
            try:
                judged = row_of(self._entry.kind, row)
                for check in self._checks:
                    check(judged)
            except ValueError as error:
                message = f"table {self._entry.name}: {shown(str(row[0])):.80}: {error}"
                raise ConfigError(message, remedy="change or remove this row") from None
            self.count += 1
            yield row


def write(
    place: Location, source: Store, paths: Mapping[str, str], delimiter: str, force: bool
) -> list[Target]:
    """Write all tables of ``source`` to a place, whole, or nothing at all.

    ``paths`` has the configuration file of each. Raises ConfigError, OSError.
    """
    if place.on_server:
        return _to_server(place, source, paths, delimiter, force)
    with sqlite.temporary() as store:
        targets = _copy(source, store, paths)
        write_file(place, store, targets, delimiter, force)
    return targets


def place_of(place: Location, force: bool) -> str:
    """Return the path of a new SQLite database; what is replaced may stand behind a link."""
    return folders.behind(place.path) if force else place.path


def write_file(
    place: Location, store: SqliteStore, targets: list[Target], delimiter: str, force: bool
) -> None:
    """Write a temporary database to its place, and the configuration files."""
    path = place_of(place, force)
    with NewFiles(force) as files:
        with files.new(path, users.give_to_smtpd) as file:
            file.write(sqlite.image(store))
        _configure(place, targets, delimiter, files)
        files.place(lock.locked(path) if force else None)


def _copy(source: Store, store: Store, paths: Mapping[str, str]) -> list[Target]:
    """Make all tables, and then fill them: a new table of MySQL commits the rows before it."""
    entries = source.entries()
    for entry in entries:
        store.create_table(entry)
    targets = []
    for entry in entries:
        rows = Counted(source, entry)
        store.fill(entry, rows)
        targets.append(Target(entry, rows.count, paths[entry.name]))
    return targets


def _configure(place: Location, targets: list[Target], delimiter: str, files: NewFiles) -> None:
    """Write the configuration files; one for a server may hold a password, and others no rows."""
    secret = place.on_server
    give = users.give_to_smtpd if secret else users.give_to_all
    for target in targets:
        text = place.configuration(target.entry, delimiter)
        with files.new(target.path, give, secret=secret) as file:
            file.write(schema.encoded(text))


def _to_server(
    place: Location, source: Store, paths: Mapping[str, str], delimiter: str, force: bool
) -> list[Target]:
    """Write tables to a server: the files get their names just before the transaction ends."""
    with NewFiles(force) as files, locations.connected(place, write=True) as server:
        server.migrate()
        _make_room(place, server, {entry.name for entry in source.entries()}, force)
        targets = _copy(source, server, paths)
        _configure(place, targets, delimiter, files)
        files.place(commit=server.commit)
    return targets


def _make_room(
    place: Location, server: "ServerStore | RedisStore", names: set[str], force: bool
) -> None:
    """Remove tables that are to be replaced. Raises ConfigError where that may not be."""
    there = sorted(names & {entry.name for entry in server.entries()})
    if there and not force:
        fault = f"there is a table {there[0]} already"
        raise ConfigError(fault, path=place.name, remedy="replace it with --force")
    if there and not server.undoes:
        fault = f"there is a table {there[0]}, and MySQL could not undo its replacement"
        raise ConfigError(fault, path=place.name, remedy="remove it, or choose another database")
    for name in there:
        server.drop_table(name)
