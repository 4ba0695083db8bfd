"""``opensmtpd-plugins import``: from the tables of smtpd.conf, or a database, to a database."""

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import click

from opensmtpd.errors import ConfigError
from opensmtpd.table import file as table_file
from opensmtpd.table.file import Row
from opensmtpd_cli import completion
from opensmtpd_cli.commands.migrate import lock
from opensmtpd_cli.commands.migrate.rows import Complaints, RowSource, file_rows, fill
from opensmtpd_cli.commands.migrate.targets import Target, place_of, write, write_file
from opensmtpd_cli.database import locations, schema, sqlite
from opensmtpd_cli.database.locations import Location
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.output import complain, note, printing, progress_wanted
from opensmtpd_cli.smtpdconf import parser, table_uses
from opensmtpd_cli.smtpdconf.configuration import Configuration, Definition
from opensmtpd_cli.smtpdconf.diff import diff
from opensmtpd_cli.smtpdconf.grammar.settings import DELIMITER
from opensmtpd_cli.smtpdconf.lexer import written
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import readers, table_support

_LONG = 1 << 20
"""Bytes of table files from which on a progress bar is shown."""

Advance = Callable[[int], object]


@click.command("import", short_help="Copy smtpd's tables into a database.")
@click.argument("source", metavar="SOURCE", shell_complete=completion.complete_files)
@click.argument("database", metavar="DATABASE", shell_complete=completion.complete_files)
@click.option(
    "--config-dir",
    metavar="DIR",
    shell_complete=completion.complete_folders,
    help="Write the configuration files of the tables there, NAME.conf for each. Without it they"
    " go beside DATABASE, or its file.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Replace DATABASE, if it is one of SQLite that nobody uses, tables of a database on a"
    " server, and configuration files.",
)
def command(source: str, database: str, config_dir: str | None, force: bool) -> None:
    """Copy the file: and inline tables of an smtpd.conf, or all of a database, into DATABASE.

    DATABASE is a new SQLite database, or postgres:FILE, mysql:FILE or redis:FILE: FILE is a
    configuration file of the table of that name, which says how to connect. SOURCE may be a
    database, too.

    Writes a configuration file for each table, and to standard output a diff with the lines to
    change in smtpd.conf (and in files that it includes), for patch(1); for a database, the lines
    of smtpd.conf. Neither smtpd.conf nor the table files are touched. Rows that smtpd would fail on
    are errors: then nothing is written.
    """
    table_support.demand()
    place = locations.parse(database)
    directory = os.path.abspath(config_dir or os.path.dirname(place.path))
    if not place.on_server:
        lock.refuse_left(place_of(place, force))
    if locations.is_database(source):
        _copy(source, place, directory, force)
    else:
        _move(source, place, directory, force)


def _copy(source: str, place: Location, directory: str, force: bool) -> None:
    """Copy all tables of a database."""
    with locations.copied(source) as store:
        paths = {
            entry.name: os.path.join(directory, schema.file_name(entry.name) + ".conf")
            for entry in store.entries()
        }
        targets = write(place, store, paths, "+", force)
    for target in targets:
        note(f"{target.entry.name}: rows: {target.rows:,}, {target.path}")
        line = f"table {written(target.entry.name)} {written(place.target(target.path))}"
        click.echo(schema.encoded(line))


def _move(smtpd_conf: str, place: Location, directory: str, force: bool) -> None:
    """Copy the tables of an smtpd.conf."""
    configuration = parser.read(smtpd_conf)
    paths = _places(configuration, place, directory)
    complaints = Complaints()
    with sqlite.temporary() as store:
        targets = _fill(store.db, configuration, paths, complaints)
        complaints.show(smtpd_conf, "mend the lines above")
        changes = diff(configuration, {name: place.target(path) for name, path in paths.items()})
        delimiter = configuration.settings.get(DELIMITER, "+")
        if place.on_server:
            write(place, store, paths, delimiter, force)
        else:
            write_file(place, store, targets, delimiter, force)
    with printing(place.name, "written, but the diff", "do it again, with --force"):
        click.echo(changes, nl=False)
    _tell(configuration, place, targets)


def _places(configuration: Configuration, place: Location, directory: str) -> dict[str, str]:
    """Return the tables to import, and the path of each one's new file.

    Raises ConfigError where that cannot be.
    """
    tables = [table for table in configuration.tables.values() if table.file or table.rows]
    if not tables:
        path = next(iter(configuration.files))
        fault = "there is no file: or inline table to import"
        remedy = "give those without a name one, as: table NAME { ... }"
        raise ConfigError(fault, path=path, remedy=remedy if configuration.nameless else "")
    taken: dict[str, str] = {"smtpd_tables": "the database's own"}
    places = {}
    for table in tables:
        same = taken.setdefault(table.name.lower(), table.name)
        if same != table.name or table.name.lower().startswith("sqlite_"):
            raise _cannot(table, "SQLite would take its name for another's")
        places[table.name] = os.path.join(directory, schema.file_name(table.name) + ".conf")
    _spare(configuration, {place.path, *places.values()})
    return places


def _cannot(table: Definition, reason: str) -> ConfigError:
    message = f"table {table.name}: {reason}"
    return ConfigError(message, path=table.path, line=table.line, remedy="rename it")


def _spare(configuration: Configuration, new: set[str]) -> None:
    """Raise ConfigError where a new file would replace one that smtpd.conf needs."""
    old = [table.file for table in configuration.tables.values() if table.file]
    kept = {os.path.realpath(path) for path in (*old, *configuration.files)}
    for path in new:
        if os.path.realpath(path) in kept:
            remedy = "write the configuration files elsewhere with --config-dir"
            raise ConfigError("smtpd.conf needs this file as it is", path=path, remedy=remedy)


def _fill(
    db: sqlite3.Connection,
    configuration: Configuration,
    paths: dict[str, str],
    complaints: Complaints,
) -> list[Target]:
    """Fill a temporary database with all tables. What is wrong goes to ``complaints``."""
    tables = [configuration.tables[name] for name in paths]
    targets = []
    with _progress(tables) as advance:
        for table in tables:
            try:
                entry, count = _import(db, table, configuration, complaints, advance)
            except ConfigError as error:
                complaints.error(table.path, table.line, str(error))
                continue
            targets.append(Target(entry, count, paths[table.name]))
    return targets


def _import(
    db: sqlite3.Connection,
    table: Definition,
    configuration: Configuration,
    complaints: Complaints,
    advance: Advance,
) -> tuple[CatalogueEntry, int]:
    """Copy a table. Raises ConfigError for one that smtpd could not use as it does."""
    rows: Iterable[Row] = table.rows
    if table.file:
        rows = file_rows(_counted(table.file, advance), table.file, complaints)
    rows = iter(rows)
    first = next(rows, None)
    kind = None
    if first:
        kind = RowKind.LIST if first.value is None else RowKind.MAPPING
        rows = itertools.chain([first], rows)
    uses = configuration.uses.get(table.name, [])
    entry = CatalogueEntry(
        table.name, table_uses.kind(table.name, kind, uses), table_uses.services(uses)
    )
    schema.create_table(db, entry)
    judged = entry._replace(services=table_uses.judged(uses))
    source = RowSource(table.file or table.path, rows, uses)
    return entry, fill(db, judged, source, complaints)


def _counted(path: str, advance: Advance) -> Iterator[bytes]:
    """Yield the lines of a file, and say now and then how many bytes these were."""
    count = 0
    for line in table_file.lines(path):
        count += len(line)
        if count > _LONG // 4:
            advance(count)
            count = 0
        yield line


def _progress(tables: list[Definition]) -> AbstractContextManager[Advance]:
    """Return a progress bar; one that shows nothing where nobody sees it, and for small files."""
    size = sum(os.path.getsize(t.file) for t in tables if t.file and os.path.isfile(t.file))
    if not progress_wanted() or size < _LONG:
        return nullcontext(lambda count: None)
    from opensmtpd_cli.commands.migrate.progress import bar  # noqa: PLC0415  rich is slow to import

    return bar("Reading tables", size)


def _tell(configuration: Configuration, place: Location, targets: list[Target]) -> None:
    """Say what was done and what follows."""
    for target in targets:
        services = ", ".join(target.entry.services) or "nothing yet"
        note(f"{target.entry.name}: for {services}, rows: {target.rows:,}, {target.path}")
    moved = {target.entry.name for target in targets}
    for table in configuration.tables.values():
        if table.name not in moved:
            note(f"{table.name}: stays as it is ({table.target})")
    if configuration.nameless:
        places = ", ".join(f"{brace.path}:{brace.line}" for brace in configuration.nameless)
        note(f"tables without a name stay as they are: {places}")
    shut: dict[tuple[str, str], str] = {}
    # The file that leads to a server is the operator's own: its user may do more.
    for path in (*(target.path for target in targets), *([] if place.on_server else [place.path])):
        if lacking := readers.lacking(path):  # of a closed directory, one file is enough
            shut[lacking, "" if " enter " in lacking else path] = path
        elif path == place.path:
            note(f"{path}: readable for {readers.readers(path) or 'smtpd'}")
    for (lacking, _), path in shut.items():
        complain(f"{path}: smtpd cannot read it; {lacking}")
    note("Only tables, macros and include were read: smtpd -n judges all other directives.")
    note("Next: patch -d / -p1 < DIFF (standard output), opensmtpd-plugins check, restart smtpd.")
