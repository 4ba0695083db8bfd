"""The question that the words of a command line ask: which table, which service, which key."""

from typing import NamedTuple

import click

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.plugin import conf_names, table_program
from opensmtpd_cli.plugin.table_verdicts import CHECKED
from opensmtpd_cli.smtpdconf import table_uses
from opensmtpd_cli.smtpdconf.named import NamedTable, is_name, table
from opensmtpd_cli.smtpdconf.table_line import parse

VIRTUAL = "virtual"
"""No service: the keys that smtpd tries in a table behind ``virtual``, of the service alias."""
FETCHED = (Service.SOURCE, Service.RELAYHOST)
"""Services of which smtpd takes the entries of a list in turn, without a key."""


class TableQuestion(NamedTuple):
    """A request to a table. ``key`` is None for a fetch; ``service`` may be VIRTUAL."""

    verb: str
    service: str
    key: str | None


def find(word: str, conf: str | None) -> NamedTable:
    """Return the table of a name in smtpd.conf, of a line, or of the last word of a line.

    Raises ConfigError.
    """
    if not is_name(word):
        return NamedTable(parse(word), [])
    own = conf_names.read(conf)
    if own.configuration and word in own.configuration.tables:
        return table(own.configuration, word)
    line = parse(word)
    try:
        table_program.find(line)  # a table that needs no file
    except ConfigError:
        example = f"table {word} sqlite:/etc/mail/{word}.conf"
        remedy = f"give its line of smtpd.conf, as '{example}', or the last word of it"
        raise ConfigError(own.lacks("table", word), remedy=remedy) from None
    return NamedTable(line, [])


def asked(
    of: NamedTable, service: str | None, key: str | None, *, check: bool, every: bool
) -> TableQuestion:
    """Return the question. Without a service, it is the one that smtpd asks of this table.

    Raises click.UsageError for a question that smtpd does not ask.
    """
    usual = service is None
    service = service or (_of_alias(of) if every else _usual(of))
    if every:
        if service not in (Service.ALIAS, VIRTUAL) or key is None:
            raise click.UsageError("--all wants the service alias or virtual, and an address")
    elif service == VIRTUAL:
        raise click.UsageError("virtual goes with --all; a single key is asked for as alias")
    elif service == Service.AUTH and not check:
        raise click.UsageError("smtpd does not look up auth: use --check")
    elif key is None and (check or service not in FETCHED):
        raise click.UsageError("Missing argument 'KEY'.")
    if check or (usual and service in CHECKED):
        return TableQuestion("check", service, key)
    return TableQuestion("fetch" if key is None else "lookup", service, key)


def _usual(of: NamedTable) -> str:
    return _only(of, [service.value for service in table_uses.services(of.uses)])


def _of_alias(of: NamedTable) -> str:
    """Return alias or virtual: smtpd tries other keys for each."""
    words = {use.words: use for use in of.uses}
    kinds = {"action alias": Service.ALIAS.value, "action virtual": VIRTUAL}
    return _only(of, [kind for use, kind in kinds.items() if use in words])


def _only(of: NamedTable, services: list[str]) -> str:
    if len(services) == 1:
        return services[0]
    name = of.line.name
    if not services:
        fault = f"what smtpd asks of table {name} is not known: no use of it was found"
        raise click.UsageError(f"{fault}; name the service, as --service alias")
    given = " or ".join(f"--service {service}" for service in services)
    raise click.UsageError(f"smtpd asks table {name} for {' and '.join(services)}; say {given}")
