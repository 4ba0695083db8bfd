"""All that smtpd.conf and the files it includes say."""

from typing import NamedTuple

from opensmtpd.table.file import Row, TableFile, lines
from opensmtpd_cli.smtpdconf.directives import (
    ActionDefinition,
    Ca,
    FilterDefinition,
    Listener,
    MatchRule,
    Other,
    Pki,
    ProcDefinition,
    TableRef,
)
from opensmtpd_cli.smtpdconf.lexer import Token
from opensmtpd_cli.smtpdconf.table_uses import Use


class Definition(NamedTuple):
    """A ``table`` directive. ``target`` is its TYPE:PATH, or None where its rows are inline.

    The bytes from ``start`` to ``end`` of the file ``path`` are what says where the rows are; with
    the name before it where ``whole`` says so, since both come out of one macro.
    """

    name: str
    path: str
    line: int
    start: int
    end: int
    whole: bool
    target: str | None
    rows: list[Row]

    @property
    def file(self) -> str | None:
        """The table file that smtpd itself reads (``file:``, ``static:`` or a bare path)."""
        target = self.target or ""
        if target.startswith("/"):
            return target
        backend, _, path = target.partition(":")
        return path if backend in ("file", "static") and path else None


class Configuration(NamedTuple):
    """The content of smtpd.conf and of the files that it includes, in the order of the lines.

    ``files`` are the contents of all files, by the names they were opened by. ``nameless`` are the
    braces of tables that are written out where they are used. ``settings`` are the values of
    ``smtp``, ``queue``, ``mta`` and others, by the words before them: ``queue ttl``,
    ``mta limit max-conn-per-host``; the delimiter of tags is ``sub-addr-delim``. The value of
    ``srs key`` is a secret. ``rest`` are the directives with words that are not understood; those
    of which enough is understood also stand where they belong.
    """

    tables: dict[str, Definition]
    uses: dict[str, list[Use]]
    files: dict[str, bytes]
    settings: dict[str, str]
    nameless: list[Token]
    filters: dict[str, FilterDefinition]
    procs: dict[str, ProcDefinition]
    listeners: list[Listener]
    actions: dict[str, ActionDefinition]
    matches: list[MatchRule]
    pkis: dict[str, Pki]
    cas: dict[str, Ca]
    rest: list[Other]


def rows(configuration: Configuration, ref: TableRef) -> tuple[Row, ...] | None:
    """Return the rows of a table; None for one that a program or a database keeps.

    Of rows with the same key, smtpd takes the last. Raises ConfigError for a file that cannot be
    read, and OSError.
    """
    if ref.rows is not None:
        return ref.rows
    table = configuration.tables.get(ref.name)
    if table is None:
        return None
    if table.file is not None:
        return tuple(TableFile(lines(table.file), table.file))
    return tuple(table.rows) if table.target is None else None
