"""The senders and receivers of a configuration: addresses and domains, as far as it tells."""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from opensmtpd.dns.names import address as address_in
from opensmtpd.dns.names import is_query_name
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import IPAddress
from opensmtpd_cli.smtpdconf.configuration import Configuration, rows
from opensmtpd_cli.smtpdconf.directives import ActionDefinition, Listener, Place, TableRef
from opensmtpd_cli.system.network import own_addresses

LOCAL = frozenset(["maildir", "mbox", "lmtp", "mda", "expand-only", "forward-only"])
"""The kinds of actions that deliver here."""
_LOOPBACK = ("socket", "lo", "lo0", "localhost", "::1")


class Outgoing(NamedTuple):
    """An action that sends mail straight to the servers of others, and its addresses."""

    action: ActionDefinition
    addresses: tuple[IPAddress, ...]
    """Those that the world sees."""
    hidden: IPAddress | None
    """A private address of which it is not known what the world sees instead of it."""
    listed: bool = True
    """False where a program keeps the table of its addresses, and nobody has told them."""


def direct(configuration: Configuration) -> list[ActionDefinition]:
    """Return the relay actions in use that hand mail to no other relay of one's own."""
    used = {match.action for match in configuration.matches}
    return [
        action
        for action in configuration.actions.values()
        if action.kind == "relay"
        and action.name in used
        and action.host is None
        and action.domain is None
    ]


def outgoing(configuration: Configuration, seen: Sequence[IPAddress]) -> list[Outgoing]:
    """Return the actions that send mail straight out, with their addresses.

    ``seen`` are the addresses that the world sees, where the operator has said which. Raises
    ConfigError and OSError for a table that cannot be read.
    """
    usual = [each for each in own_addresses.outgoing() if _is_wanted(each, configuration)]
    found = []
    for action in direct(configuration):
        own: list[IPAddress] | None = usual
        if action.src is not None:
            own = _listed(configuration, action.src)
        if own is None:
            found.append(Outgoing(action, tuple(seen), None, listed=bool(seen)))
        else:
            found.append(_seen(action, own, seen))
    return found


def _seen(action: ActionDefinition, own: list[IPAddress], seen: Sequence[IPAddress]) -> Outgoing:
    public = [each for each in own if not own_addresses.is_hidden(each)]
    hidden = next((each for each in own if own_addresses.is_hidden(each)), None)
    if seen and (hidden is not None or action.src is None):
        public = [*seen, *(public if action.src is not None else ())]
        hidden = None
    return Outgoing(action, tuple(dict.fromkeys(public)), hidden)


def _listed(configuration: Configuration, table: TableRef) -> list[IPAddress] | None:
    found = rows(configuration, table)
    if found is None:
        return None
    return [each for row in found if (each := address_in(row.key)) is not None]


def _is_wanted(address: IPAddress, configuration: Configuration) -> bool:
    """Return whether ``mta limit inet4`` or ``inet6`` lets smtpd use an address."""
    for name, value in configuration.settings.items():
        words = f"{name} {value}".split()
        if words[:2] == ["mta", "limit"] and "for" not in words:
            if "inet4" in words and address.version == 6:
                return False
            if "inet6" in words and address.version == 4:
                return False
    return True


def helo(configuration: Configuration, sender: Outgoing, address: IPAddress, own: str) -> str:
    """Return what smtpd calls itself from an address; "" where a table does not tell."""
    if sender.action.helo_src is not None:
        named = rows(configuration, sender.action.helo_src)
        found = [row.value for row in named or () if address_in(row.key) == address]
        return found[-1] or "" if found else ""
    return sender.action.helo or own


def received(configuration: Configuration) -> dict[str, Place]:
    """Return the domains that the world can send to and that are delivered here."""
    found: dict[str, Place] = {}
    for match in configuration.matches:
        action = configuration.actions.get(match.action)
        source, target = match.from_, match.for_
        if action is None or action.kind not in LOCAL or source.what != "any" or source.negated:
            continue
        if target.what == "domain" and target.table and not (target.negated or target.regex):
            for name in _domains(configuration, target.table):
                found.setdefault(name, match.place)
    return found


def receives_more(configuration: Configuration) -> bool:
    """Return whether a program keeps a table of domains that are delivered here."""
    return any(
        match.for_.what == "domain"
        and match.for_.table is not None
        and rows(configuration, match.for_.table) is None
        and configuration.actions[match.action].kind in LOCAL
        for match in configuration.matches
        if match.action in configuration.actions
    )


def _domains(configuration: Configuration, table: TableRef) -> Iterator[str]:
    for row in rows(configuration, table) or ():
        name = row.key.lower().removesuffix(".")
        if "." in name and is_query_name(name):  # no *.example.org
            yield name


def senders(configuration: Configuration, listener: Listener) -> set[str]:
    """Return the domains of the addresses that users may send as at a listener."""
    if listener.senders is None:
        return set()
    try:
        found = rows(configuration, listener.senders) or ()
    except (ConfigError, OSError):  # said by whoever looks at tables
        return set()
    values = (value for row in found for value in (row.value or "").split(","))
    return set(_after_at(values))


def _after_at(addresses: Iterable[str]) -> Iterator[str]:
    for each in addresses:
        domain = each.strip().rpartition("@")[2].lower()
        if "@" in each and "." in domain and is_query_name(domain):
            yield domain


def is_below(domain: str, names: Container[str]) -> bool:
    """Return whether a domain is one of these names, or below one of them."""
    while domain and domain not in names:
        domain = domain.partition(".")[2]
    return bool(domain)


def filters(configuration: Configuration, names: Iterable[str]) -> set[str]:
    """Return filters by their names, and those that are in chains among them."""
    found: set[str] = set()
    wanted = [*names]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            each = configuration.filters.get(name)
            wanted += each.chain if each is not None else ()
    return found


def hears_the_world(configuration: Configuration) -> bool:
    """Return whether mail of strangers gets here, on port 25 of more than the own machine."""
    return any(
        listener.port == 25
        and listener.where not in _LOOPBACK
        and not listener.where.startswith("127.")
        for listener in configuration.listeners
    )


def takes_mail_of_users(configuration: Configuration) -> bool:
    """Return whether users can hand in mail with a password."""
    return any(listener.auth for listener in configuration.listeners)


def spf_term(address: IPAddress) -> str:
    """Return the term of an SPF record that permits an address."""
    return f"ip{address.version}:{address}"
