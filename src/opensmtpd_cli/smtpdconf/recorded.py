"""The filters and tables that filter-record and table-record stand in front of."""

import os
import shlex
from collections.abc import Iterator

from opensmtpd.capture import table_conf
from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf import command_words
from opensmtpd_cli.smtpdconf.configuration import Definition
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.smtpdconf.table_line import TableLine

FILTER, TABLE = "filter-record", "record"


def filter_in(entry: FilterEntry) -> FilterEntry | None:
    """Return the filter that is recorded, with the user of its line; None where none is."""
    words = command_words.words(entry.command)
    own = recorder_words(words)
    if own == words or not words[len(own) + 1 :]:
        return None
    return entry._replace(command=shlex.join(words[len(own) + 1 :]))


def recorder_words(words: list[str]) -> list[str]:
    """Return the words for filter-record itself, of those of a command; all for other programs."""
    if words and os.path.basename(words[0]) == FILTER and "--" in words:
        return words[: words.index("--")]
    return words


def tables(definition: Definition) -> Iterator[TableLine]:
    """Yield the table that a program keeps, and behind it that which it records; else nothing.

    Nothing comes of a configuration that cannot be read: table-record says what is wrong with it.
    """
    if definition.target is None or definition.file is not None:
        return
    kind, _, path = definition.target.partition(":")
    seen = set()
    while path not in seen:
        yield TableLine(definition.name, kind, path or None)
        seen.add(path)
        if kind != TABLE or not path:
            return
        try:
            program, path, _ = table_conf.read(path)
        except ConfigError:
            return
        kind = os.path.basename(program).removeprefix("table-")
