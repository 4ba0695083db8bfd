"""The services for which smtpd may use a table, checked before smtpd hears of them."""

from opensmtpd.errors import LocalError, did_you_mean, nearest
from opensmtpd.table import Service, Table

_LISTS = frozenset([Service.SOURCE, Service.RELAYHOST])
"""Services whose values smtpd takes in turn, by ``fetch``."""


def check_services(table: Table) -> None:
    """Raise LocalError for ``services`` that are no collection of Service."""
    place = f"{type(table).__name__}.services"
    if isinstance(table.services, str):  # a Service without the comma that makes it a tuple
        raise LocalError(f"{place} is a str; write a tuple, even of one service")
    for each in table.services:
        if each not in Service.__members__.values():
            names = [service.value for service in Service]
            known = ", ".join(names) + did_you_mean(str(each), names)
            raise LocalError(f"{place}: no service is {each!r}, but {known}")


def check_methods(table: Table) -> None:
    """Raise LocalError for a table that has services, and no method of its own to serve them.

    A method that is misspelt would otherwise show at the first request, which then fails.
    """
    services = set(table.services)
    methods = ["lookup", "check"]
    methods += [] if services - _LISTS else ["fetch"]
    methods += [] if services - {Service.AUTH} else ["authenticate"]
    if services and not any(overrides(table, name) for name in methods):
        own = [name for name in dir(table) if not hasattr(Table, name)]
        near = next(filter(None, (nearest(name, own) for name in methods)), None)
        hint = f"; is {near} one of them, misspelt?" if near else ""
        raise LocalError(f"{type(table).__name__} has neither {' nor '.join(methods)}{hint}")


def overrides(table: Table, name: str) -> bool:
    """Return whether a table has a method of its own under a name."""
    return getattr(getattr(table, name), "__func__", None) is not getattr(Table, name)
