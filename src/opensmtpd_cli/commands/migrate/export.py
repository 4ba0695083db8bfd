"""``opensmtpd-plugins export``: from a database back to table files (table(5))."""

import os
import re
from collections.abc import Iterator
from typing import BinaryIO

import click

from opensmtpd.errors import ConfigError
from opensmtpd.table import file as table_file
from opensmtpd.table.file import Row, TableFile
from opensmtpd_cli import completion
from opensmtpd_cli.commands.migrate.rows import Complaints
from opensmtpd_cli.database import locations, schema
from opensmtpd_cli.database.schema import COLUMNS, CatalogueEntry, encoded
from opensmtpd_cli.database.store import Store
from opensmtpd_cli.output import note
from opensmtpd_cli.smtpdconf.lexer import written
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import users
from opensmtpd_cli.system.new_files import NewFiles

_NO_MAPPING = re.compile(r"[: \t]|^\[")
"""Keys that may look like a key and a value."""


@click.command("export", short_help="Write the tables of the database as files again.")
@click.argument("database", metavar="DATABASE", shell_complete=completion.complete_files)
@click.argument("directory", metavar="DIRECTORY", shell_complete=completion.complete_folders)
@click.option("--force", is_flag=True, help="Replace files in DIRECTORY.")
def command(database: str, directory: str, force: bool) -> None:
    """Write the tables of DATABASE as files that smtpd reads itself, NAME for each table.

    Prints the lines of smtpd.conf that use them. Rows that such a file cannot hold are errors: then
    nothing is written.
    """
    directory = os.path.abspath(directory)
    complaints = Complaints()
    told: list[tuple[str, str]] = []
    with locations.copied(database) as store, NewFiles(force) as files:
        for entry in store.entries():
            path = os.path.join(directory, schema.file_name(entry.name))
            with files.new(path, users.give_to_smtpd) as file:
                count = _export(store, entry, file, complaints)
            line = f"table {written(entry.name)} {written('file:' + path)}"
            told.append((f"{entry.name}: rows: {count:,}, {path}", line))
        complaints.show(database, "change or remove these rows")
        files.place()
    for remark, line in told:
        note(remark)
        click.echo(encoded(line))


def _export(store: Store, entry: CatalogueEntry, file: BinaryIO, complaints: Complaints) -> int:
    """Write the file of a table, and return how many rows that are."""
    count = 0
    if entry.kind is RowKind.LIST and _says_list(store, entry):
        file.write(b"# @list\n")
    for key, value in _rows(store, entry):
        line = encoded(key if value is None else f"{key}: {value}") + b"\n"
        if not _holds(line, key, value):
            complaints.error(f"table {entry.name}", None, f"no table file can hold {key!r}")
        file.write(line)
        count += 1
    return count


def _rows(store: Store, entry: CatalogueEntry) -> Iterator[tuple[str, str | None]]:
    """Yield keys and values, as they stand in a table file."""
    for row in store.every(entry, *COLUMNS[entry.kind]):
        key, *rest = map(str, row)
        yield key, ":".join(rest) if rest else None


def _says_list(store: Store, entry: CatalogueEntry) -> bool:
    """Return whether the file must say that it is a list."""
    empty = True
    for (key,) in store.every(entry, "key"):
        if _NO_MAPPING.search(str(key)):
            return True
        empty = False
    return empty


def _holds(line: bytes, key: str, value: str | None) -> bool:
    """Return whether smtpd would read a line as the row that it stands for."""
    file = TableFile([line], "")
    file.kind = table_file.FileKind.LIST if value is None else table_file.FileKind.MAPPING
    try:
        return line.count(b"\n") == 1 and list(file) == [Row(1, key, value)]
    except ConfigError:
        return False
