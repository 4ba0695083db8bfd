"""The tables and filters of smtpd.conf that an operator calls by their names."""

import re
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf import table_line
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.filter_line import BUILT_IN, FilterEntry
from opensmtpd_cli.smtpdconf.grammar.settings import DELIMITER
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.smtpdconf.table_uses import Use

_NAME = re.compile(r"[^\s:/{}<>]+")


class NamedTable(NamedTuple):
    """A table and its uses; ``delimiter`` stands before the tags of users."""

    line: TableLine
    uses: list[Use]
    delimiter: str = "+"


def is_name(text: str) -> bool:
    """Return whether a text may be the name of a table or filter: it is no line, and no path."""
    return _NAME.fullmatch(text) is not None


def table(configuration: Configuration, name: str) -> NamedTable:
    """Return a table of smtpd.conf. Raises ConfigError where its rows stand there, KeyError."""
    definition = configuration.tables[name]
    if definition.target is None:
        fault = f"the rows of table {name} stand here: there is nothing to ask"
        raise ConfigError(fault, path=definition.path, line=definition.line)
    return NamedTable(
        table_line.of(name, definition.target),
        configuration.uses.get(name, []),
        configuration.settings.get(DELIMITER) or "+",
    )


def filter_entry(configuration: Configuration, name: str) -> FilterEntry:
    """Return what runs for a filter of smtpd.conf. Raises ConfigError for nothing, KeyError."""
    definition = configuration.filters[name]
    if definition.entry:
        return definition.entry._replace(name=name)
    match definition.kind:
        case "chain":
            remedy = f"give the name of one: {', '.join(definition.chain)}"
            fault = f"{name} is a chain, filters in a row: there is no program to run"
        case "phase":
            fault, remedy = BUILT_IN["phase"], ""
        case _:
            fault, remedy = f"there is no proc {definition.proc}", ""
    place = definition.place
    raise ConfigError(fault, path=place.path, line=place.line, remedy=remedy)
