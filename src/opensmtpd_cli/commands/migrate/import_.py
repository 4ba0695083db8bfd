"""``opensmtpd-plugins import``: from the tables of smtpd.conf to one SQLite database."""

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO, NamedTuple

import click

from opensmtpd.errors import ConfigError
from opensmtpd.table import file as table_file
from opensmtpd.table.file import Row
from opensmtpd_cli import completion
from opensmtpd_cli.commands.migrate import lock
from opensmtpd_cli.commands.migrate.rows import Complaints, RowSource, file_rows, fill
from opensmtpd_cli.database import queries, schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.output import complain, note, printing, progress_wanted
from opensmtpd_cli.smtpdconf import parser, table_uses
from opensmtpd_cli.smtpdconf.configuration import Configuration, Definition
from opensmtpd_cli.smtpdconf.diff import diff
from opensmtpd_cli.smtpdconf.grammar.settings import DELIMITER
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import folders, readers, table_support, users
from opensmtpd_cli.system.new_files import NewFiles

_LONG = 1 << 20
"""Bytes of table files from which on a progress bar is shown."""

Advance = Callable[[int], object]


class Target(NamedTuple):
    """A table that has moved, and its configuration file."""

    entry: CatalogueEntry
    rows: int
    path: str


@click.command("import", short_help="Copy smtpd's tables into a SQLite database.")
@click.argument("smtpd_conf", metavar="SMTPD_CONF", shell_complete=completion.complete_files)
@click.argument("database", metavar="DATABASE", shell_complete=completion.complete_files)
@click.option(
    "--config-dir",
    metavar="DIR",
    shell_complete=completion.complete_folders,
    help="Write the configuration files of table-sqlite there, NAME.conf for each table. Without"
    " it they go beside DATABASE.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Replace DATABASE, if it is one of SQLite that nobody uses, and configuration files.",
)
def command(smtpd_conf: str, database: str, config_dir: str | None, force: bool) -> None:
    """Copy the file: and inline tables of SMTPD_CONF into the new SQLite DATABASE.

    Writes a configuration file of table-sqlite for each table, and to standard output a diff with
    the lines to change in SMTPD_CONF (and in files that it includes), for patch(1). Neither these
    nor the table files are touched. Rows that smtpd would fail on are errors: then nothing is
    written.
    """
    table_support.demand()
    database = os.path.abspath(database)
    place = folders.behind(database) if force else database
    directory = os.path.abspath(config_dir) if config_dir else os.path.dirname(database)
    configuration = parser.read(smtpd_conf)
    paths = _places(configuration, database, directory)
    lock.refuse_left(place)
    complaints = Complaints()
    with NewFiles(force) as files:
        with files.new(place, users.give_to_smtpd) as file:
            targets = _write_database(file, configuration, paths, complaints)
        complaints.show(smtpd_conf, "mend the lines above")
        delimiter = configuration.settings.get(DELIMITER, "+")
        for target in targets:
            text = queries.configuration(target.entry, database, delimiter)
            with files.new(target.path, users.give_to_all) as file:  # it holds no rows
                file.write(schema.encoded(text))
        types = {target.entry.name: f"sqlite:{target.path}" for target in targets}
        changes = diff(configuration, types)
        files.place(lock.locked(place) if force else None)
    with printing(database, "written, but the diff", "do it again, with --force"):
        click.echo(changes, nl=False)
    _tell(configuration, database, targets)


def _places(configuration: Configuration, database: str, directory: str) -> dict[str, str]:
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
    _spare(configuration, {database, *places.values()})
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


def _write_database(
    file: BinaryIO, configuration: Configuration, places: dict[str, str], complaints: Complaints
) -> list[Target]:
    """Write the database, in one transaction. What is wrong goes to ``complaints``.

    SQLite opens files by their names, and others may exchange a file under it. So the database is
    filled in a temporary one, which has no name (https://sqlite.org/inmemorydb.html), and its
    bytes are written to ``file``.
    """
    tables = [configuration.tables[name] for name in places]
    targets = []
    db = sqlite3.connect("", isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -65536")
        db.execute("BEGIN")
        schema.create(db, ())
        with _progress(tables) as advance:
            for table in tables:
                try:
                    entry, count = _import(db, table, configuration, complaints, advance)
                except ConfigError as error:
                    complaints.error(table.path, table.line, str(error))
                    continue
                targets.append(Target(entry, count, places[table.name]))
        db.execute("COMMIT")
        file.write(db.serialize())
    finally:
        db.close()
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


def _tell(configuration: Configuration, database: str, targets: list[Target]) -> None:
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
    for path in (*(target.path for target in targets), database):
        if lacking := readers.lacking(path):  # of a closed directory, one file is enough
            shut[lacking, "" if " enter " in lacking else path] = path
        elif path == database:
            note(f"{database}: readable for {readers.readers(database) or 'smtpd'}")
    for (lacking, _), path in shut.items():
        complain(f"{path}: smtpd cannot read it; {lacking}")
    note("Only tables, macros and include were read: smtpd -n judges all other directives.")
    note("Next: patch -d / -p1 < DIFF (standard output), opensmtpd-plugins check, restart smtpd.")
