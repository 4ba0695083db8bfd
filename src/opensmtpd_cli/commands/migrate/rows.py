"""Read rows, check them and insert them into the database; collect the complaints."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.table.file import Row, TableFile
from opensmtpd_cli.commands.migrate.checks import Cells, cells, checks
from opensmtpd_cli.database.schema import CatalogueEntry, identifier
from opensmtpd_cli.output import complain
from opensmtpd_cli.plugin.table_secrets import hashes_hidden
from opensmtpd_cli.smtpdconf.table_uses import Use

SHOWN_MAX = 50
"""Complaints of either kind that are shown; the rest is counted."""


class Complaints:
    """The faults of all files: ``errors`` keep the import from being done."""

    def __init__(self) -> None:
        self.errors = 0
        self.warnings = 0
        self._shown: list[str] = []

    def error(self, path: str, line: int | None, text: str) -> None:
        """Say that smtpd fails on a row."""
        self.errors += 1
        if self.errors <= SHOWN_MAX:
            self._shown.append(_placed(path, line, text))

    def warn(self, path: str, line: int, text: str) -> None:
        """Say that a row is not what it looks like."""
        self.warnings += 1
        if self.warnings <= SHOWN_MAX:
            self._shown.append(_placed(path, line, f"warning: {text}"))

    def show(self, path: str, remedy: str) -> None:
        """Write them to stderr. Raises ConfigError if there are errors."""
        for text in self._shown:
            complain(text)
        for count, what in ((self.errors, "errors"), (self.warnings, "warnings")):
            if count > SHOWN_MAX:
                complain(f"... and {count - SHOWN_MAX:,} more {what}")
        if self.errors:
            message = f"nothing was written (errors: {self.errors:,})"
            raise ConfigError(message, path=path, remedy=remedy)


class RowSource(NamedTuple):
    """Rows, the path of the file that they come from, and what smtpd.conf uses them for."""

    path: str
    rows: Iterable[Row]
    uses: Iterable[Use] = ()


def file_rows(lines: Iterator[bytes], path: str, complaints: Complaints) -> Iterator[Row]:
    """Yield the rows of a table file, and go on behind those that cannot be read."""
    kind, before = None, 0
    while True:
        file = TableFile(lines, path)
        file.kind = kind
        try:
            for row in file:
                yield row._replace(line=row.line + before) if before else row
        except ConfigError as error:
            line = error.line and error.line + before
            complaints.error(path, line, f"{error.message}; {error.remedy}")
            if line is None:
                return
            kind, before = file.kind, line
        else:
            return


def fill(
    db: sqlite3.Connection, entry: CatalogueEntry, source: RowSource, complaints: Complaints
) -> int:
    """Insert rows, and return how many there are then.

    Of those with the same key the last one counts, as in smtpd.
    """
    todo, inserted = checks(entry, source.uses), 0
    for row in source.rows:
        try:
            values = cells(entry.kind, row)
            for check in todo:
                if warning := check(row):
                    complaints.warn(source.path, row.line, warning)
        except ValueError as error:
            complaints.error(source.path, row.line, f"{row.key}: {error}")
            continue
        if _insert(db, entry, values):
            inserted += 1
        else:
            again = (
                f"{row.key} is there already: this row counts and that one does not, as in smtpd"
            )
            complaints.warn(source.path, row.line, again)
    return inserted


def _insert(db: sqlite3.Connection, entry: CatalogueEntry, values: Cells) -> bool:
    """Insert a row, or replace the one with its key. Returns whether there was none."""
    marks = "?, ?, ?, ?"[: 3 * len(values) - 2]
    if bytes in map(type, values):
        marks = ", ".join("CAST(? AS TEXT)" if type(cell) is bytes else "?" for cell in values)
    into = f"INTO {identifier(entry.name)} VALUES ({marks})"
    if db.execute(f"INSERT {into} ON CONFLICT (key) DO NOTHING", values).rowcount:
        return True
    db.execute(f"REPLACE {into}", values)
    return False


def _placed(path: str, line: int | None, text: str) -> str:
    text = hashes_hidden(text)  # a table of passwords may be used for something else, too
    return f"{path}:{line}: {text}" if line else f"{path}: {text}"
