"""Filters that nobody uses, and listeners that were forgotten."""

from collections.abc import Iterator

from opensmtpd.dns.names import address
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import Listener, Place


def unused_filters(server: Server) -> Iterator[Finding]:
    """Yield the filters that no listener and no relay has, not even in a chain."""
    configuration = server.configuration
    used = _used(configuration)
    for each in configuration.filters.values():
        if each.name not in used:
            fault = f'filter "{each.name}" is used nowhere'
            remedy = f'write filter "{each.name}" behind listen on, or remove it'
            yield finding.warning("filter-unused", each.place, fault, "It sees no mail.", remedy)
    procs = {each.proc for each in configuration.filters.values()}
    for proc in configuration.procs.values():
        if proc.name not in procs:
            fault = f'proc "{proc.name}" is the program of no filter'
            remedy = f'write filter NAME proc "{proc.name}", or remove it'
            yield finding.warning("proc-unused", proc.place, fault, "It sees no mail.", remedy)


def _used(configuration: Configuration) -> set[str]:
    """Return the names of filters that see mail: those of chains, too."""
    waiting = [name for each in configuration.listeners for name in each.filters]
    waiting += [name for each in configuration.actions.values() for name in each.filters]
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in used and name in configuration.filters:
            waiting += configuration.filters[name].chain
        used.add(name)
    return used


def bare_listeners(server: Server) -> Iterator[Finding]:
    """Yield the listeners without a filter where a twin of theirs has one.

    A twin is the same for the other family of addresses, or another port of the same address where
    users log in: whoever filters the one means the other, too. Of all others nothing is known: many
    filter what comes from outside only.
    """
    listeners = server.configuration.listeners
    for each in listeners:
        if each.filters or each.where == "socket":
            continue
        twin = next((one for one in listeners if one.filters and _twins(each, one)), None)
        if twin:
            fault = f"this listener has no filter, and its twin in line {twin.place.line} has"
            names = [f'"{name}"' for name in twin.filters]
            words = names[0] if len(names) == 1 else f"{{ {', '.join(names)} }}"
            why = "What comes in here is not filtered."
            yield finding.warning("listener-bare", each.place, fault, why, f"add filter {words}")


def _twins(one: Listener, other: Listener) -> bool:
    plain, like = _plain(one), _plain(other)
    if _family(one) and _family(other) and _family(one) != _family(other):
        return plain == like
    submission = one.auth == other.auth == "auth" and (one.where, one.tag) == (
        other.where,
        other.tag,
    )
    return submission and plain.auth_table == like.auth_table


def _plain(listener: Listener) -> Listener:
    """Return a listener without what tells twins from each other."""
    found = listener._replace(place=Place("", 0), where="", family="", filters=())
    refs = {
        name: ref._replace(line=0)
        for name in ("auth_table", "hostnames", "senders")
        if (ref := getattr(listener, name))
    }
    return found._replace(**refs)


def _family(listener: Listener) -> str:
    """Return the family of addresses that it is for; "" for both, or where that is not known."""
    found = address(listener.where)
    if listener.family or found is None:
        return listener.family
    return "inet6" if found.version == 6 else "inet4"
