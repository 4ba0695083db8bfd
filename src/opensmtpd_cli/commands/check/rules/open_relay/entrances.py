"""The listeners through which strangers can hand in mail without a password."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import FilterDefinition, Listener

_LOOPBACK = re.compile(r"lo[0-9]*|localhost")
_REFUSES = ("reject", "disconnect")


def entrances(configuration: Configuration) -> Iterator[Listener]:
    """Yield the listeners that a stranger can use, of each tag and family the first."""
    unclear = {other.place for other in configuration.rest}
    seen = set()
    for listener in configuration.listeners:
        kind = (listener.tag, family(listener))
        if listener.place in unclear or kind in seen or not _open(listener):
            continue
        if not any(_asks_for_more(each) for each in _filters(configuration, listener)):
            seen.add(kind)
            yield listener


def loopback(listener: Listener) -> bool:
    """Return whether only the machine itself can reach a listener."""
    if listener.where == "socket" or _LOOPBACK.fullmatch(listener.where):
        return True
    try:
        return ip_address(listener.where).is_loopback
    except ValueError:
        return False


def family(listener: Listener) -> int:
    """Return the version of IP that a listener speaks; 0 for both."""
    try:
        return ip_address(listener.where).version
    except ValueError:
        return {"inet4": 4, "inet6": 6}.get(listener.family, 0)


def _open(listener: Listener) -> bool:
    return not (loopback(listener) or listener.auth == "auth" or listener.tls.endswith("verify"))


def _filters(configuration: Configuration, listener: Listener) -> Iterator[FilterDefinition]:
    for name in listener.filters:
        found = configuration.filters.get(name)
        if found and found.kind == "chain":
            yield from filter(None, map(configuration.filters.get, found.chain))
        elif found:
            yield found


def _asks_for_more(definition: FilterDefinition) -> bool:
    """Return whether smtpd's own filter turns away all but some: ``match !auth reject …``.

    One that turns away clients without a name leaves enough others.
    """
    condition = definition.condition
    if condition is None or not condition.negated or definition.decision not in _REFUSES:
        return False
    return condition.table is not None or condition.kind not in ("rdns", "fcrdns")
