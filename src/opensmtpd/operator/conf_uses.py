"""Which services smtpd asks of a table, by where smtpd.conf uses it.

Sources: the ``table_check_use`` calls of parse.y for the shape of the rows; for the services what
is asked in the end (ruleset.c, lka.c, lka_filter.c, aliases.c), which is not always the same.
"""

from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.operator.schema import Kind
from opensmtpd.queries import Service


class Use(NamedTuple):
    """A use of a table. ``shape`` is what its rows must look like, None where either will do."""

    words: str
    services: tuple[Service, ...]
    shape: Kind | None = None


_USES = (
    Use("action alias", (Service.ALIAS,), Kind.MAPPING),
    Use("action virtual", (Service.ALIAS,), Kind.MAPPING),
    Use("action userbase", (Service.USERINFO,), Kind.USERINFO),
    Use("action helo-src", (Service.ADDRNAME,), Kind.MAPPING),
    Use("action src", (Service.SOURCE,)),
    Use("action host", (Service.RELAYHOST,), Kind.LIST),
    Use("action domain", (Service.RELAYHOST,), Kind.MAPPING),
    Use("action auth", (Service.CREDENTIALS,), Kind.CREDENTIALS),
    Use("listen auth", (Service.CREDENTIALS,), Kind.CREDENTIALS),
    Use("listen auth-optional", (Service.CREDENTIALS,), Kind.CREDENTIALS),
    Use("listen hostnames", (Service.ADDRNAME,), Kind.MAPPING),
    Use("listen senders", (Service.MAILADDRMAP,), Kind.MAPPING),
    Use("match tag", (Service.STRING,), Kind.LIST),
    Use("match helo", (Service.DOMAIN,), Kind.LIST),
    # A user name with an @ is asked as mailaddr.
    Use("match auth", (Service.STRING, Service.MAILADDR)),
    Use("match mail-from", (Service.MAILADDR,)),
    Use("match rcpt-to", (Service.MAILADDR,)),
    Use("match src", (Service.NETADDR,), Kind.LIST),
    # smtpd.conf(5) says domain, and ruleset.c asks netaddr.
    Use("match rdns", (Service.DOMAIN, Service.NETADDR), Kind.LIST),
    Use("match domain", (Service.DOMAIN,), Kind.LIST),
    Use("filter rdns", (Service.DOMAIN,)),
    Use("filter src", (Service.NETADDR,)),
    Use("filter helo", (Service.DOMAIN,)),
    # Both are asked, and only whether there is such a key.
    Use("filter auth", (Service.STRING, Service.CREDENTIALS)),
    Use("filter mail-from", (Service.MAILADDR,)),
    Use("filter rcpt-to", (Service.MAILADDR,)),
    Use("match regex", (Service.REGEX,), Kind.LIST),
    Use("filter regex", (Service.REGEX,)),
)

USES = {use.words: use for use in _USES}
"""Directive and the word before the table, to what that means."""


def kind(name: str, found: Kind | None, uses: list[Use]) -> Kind:
    """Return what the rows of a table are. ``found`` is LIST, MAPPING, or None where it has none.

    Raises ConfigError for uses that no one table can serve.
    """
    wanted = {use.shape: use for use in uses if use.shape}
    if len(wanted) > 1:
        words = " and ".join(f"for '{use.words}'" for use in wanted.values())
        remedy = "make a table for each"
        raise ConfigError(f"table {name} is used {words}, whose rows differ", remedy=remedy)
    for shape, use in wanted.items():
        if found and (found is Kind.LIST) != (shape is Kind.LIST):
            wants = "keys alone" if shape is Kind.LIST else "keys with values"
            raise ConfigError(f"table {name} is a {found}; '{use.words}' wants {wants}")
        return shape or Kind.MAPPING
    return found or (Kind.LIST if uses else Kind.MAPPING)


def services(uses: list[Use]) -> tuple[Service, ...]:
    """Return what is asked of a table, each service once."""
    return tuple(dict.fromkeys(service for use in uses for service in use.services))
