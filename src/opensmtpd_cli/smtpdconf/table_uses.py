"""The services that smtpd asks of a table, by the place in smtpd.conf that uses it.

Sources: the ``table_check_use`` calls of parse.y for the shape of the rows; for the services the
requests in ruleset.c, lka.c, lka_filter.c and aliases.c, which parse.y does not always match.
"""

from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.smtpdconf.row_kinds import RowKind


class Use(NamedTuple):
    """A use of a table. ``shape`` is what its rows must look like, None where either will do."""

    words: str
    services: tuple[Service, ...]
    shape: RowKind | None = None


_RDNS = Use("match rdns", (Service.DOMAIN, Service.NETADDR), RowKind.LIST)
"""smtpd.conf(5) says domain, and ruleset.c asks netaddr."""

_USES = (
    Use("action alias", (Service.ALIAS,), RowKind.MAPPING),
    Use("action virtual", (Service.ALIAS,), RowKind.MAPPING),
    Use("action userbase", (Service.USERINFO,), RowKind.USERINFO),
    Use("action helo-src", (Service.ADDRNAME,), RowKind.MAPPING),
    Use("action src", (Service.SOURCE,)),
    Use("action host", (Service.RELAYHOST,), RowKind.LIST),
    Use("action domain", (Service.RELAYHOST,), RowKind.MAPPING),
    Use("action auth", (Service.CREDENTIALS,), RowKind.CREDENTIALS),
    Use("listen auth", (Service.CREDENTIALS,), RowKind.CREDENTIALS),
    Use("listen auth-optional", (Service.CREDENTIALS,), RowKind.CREDENTIALS),
    Use("listen hostnames", (Service.ADDRNAME,), RowKind.MAPPING),
    Use("listen senders", (Service.MAILADDRMAP,), RowKind.MAPPING),
    Use("match tag", (Service.STRING,), RowKind.LIST),
    Use("match helo", (Service.DOMAIN,), RowKind.LIST),
    # A user name with an @ is asked as mailaddr.
    Use("match auth", (Service.STRING, Service.MAILADDR)),
    Use("match mail-from", (Service.MAILADDR,)),
    Use("match rcpt-to", (Service.MAILADDR,)),
    Use("match src", (Service.NETADDR,), RowKind.LIST),
    _RDNS,
    Use("match domain", (Service.DOMAIN,), RowKind.LIST),
    Use("filter rdns", (Service.DOMAIN,)),
    Use("filter src", (Service.NETADDR,)),
    Use("filter helo", (Service.DOMAIN,)),
    # Both are asked, and only whether there is such a key.
    Use("filter auth", (Service.STRING, Service.CREDENTIALS)),
    Use("filter mail-from", (Service.MAILADDR,)),
    Use("filter rcpt-to", (Service.MAILADDR,)),
    Use("match regex", (Service.REGEX,), RowKind.LIST),
    Use("filter regex", (Service.REGEX,)),
)

USES = {use.words: use for use in _USES}
"""Directive and the word before the table, to the use that they name."""


def kind(name: str, found: RowKind | None, uses: list[Use]) -> RowKind:
    """Return what the rows of a table are. ``found`` is LIST, MAPPING, or None where it has none.

    Raises ConfigError for uses that no one table can serve.
    """
    wanted = {use.shape: use for use in uses if use.shape}
    if len(wanted) > 1:
        words = " and ".join(f"for '{use.words}'" for use in wanted.values())
        remedy = "make a table for each"
        raise ConfigError(f"table {name} is used {words}, whose rows differ", remedy=remedy)
    for shape, use in wanted.items():
        if found and (found is RowKind.LIST) != (shape is RowKind.LIST):
            wants = "keys alone" if shape is RowKind.LIST else "keys with values"
            raise ConfigError(f"table {name} is a {found}; '{use.words}' wants {wants}")
        return shape or RowKind.MAPPING
    return found or (RowKind.LIST if uses else RowKind.MAPPING)


def judged(uses: list[Use]) -> tuple[Service, ...]:
    """Return the services that say what the rows of a table must look like.

    For "match from rdns", smtpd asks for a name as netaddr: a row that is equal matches, though it
    is no network.
    """
    plain = [use._replace(services=(Service.DOMAIN,)) if use is _RDNS else use for use in uses]
    return services(plain)


def services(uses: list[Use]) -> tuple[Service, ...]:
    """Return what is asked of a table, each service once."""
    return tuple(dict.fromkeys(service for use in uses for service in use.services))
