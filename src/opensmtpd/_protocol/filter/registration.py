"""The reports and the phases that smtpd is to send for a filter."""

from collections.abc import Callable, Collection

from opensmtpd._protocol.filter import wire
from opensmtpd._protocol.filter.session_state import reports_for
from opensmtpd.errors import LocalError, did_you_mean
from opensmtpd.filter import Filter
from opensmtpd.filter.decisions import handler_name
from opensmtpd.filter.session import REPORT_OF


def overrides(filter: Filter, name: str) -> bool:
    """Return whether the filter has a handler of its own, and uses it."""
    own = getattr(type(filter), name) is not getattr(Filter, name)
    return own and name not in filter.unused


def handlers(filter: Filter) -> dict[str, Callable[..., object]]:
    """Return the filter's own handlers by event: for phases and for reports."""
    return {
        event: getattr(filter, handler_name(event))
        for event in (*wire.REPORTS, *wire.REQUESTS)
        if overrides(filter, handler_name(event))
    }


def registrations(filter: Filter) -> tuple[list[str], list[str]]:
    """Return the reports and the phases that smtpd is to send for this filter, in table order.

    ``link-disconnect`` always, to forget sessions by; for messages also ``tx-reset``, which ends
    one that the client left half sent, and ``commit``, the one place to refuse a message. Raises
    LocalError for a name in ``uses`` that sessions have not, for one in ``unused`` that is no
    handler, and for a str in the place of either.
    """
    _check(filter, "uses", "a session has no", REPORT_OF)
    _check(filter, "unused", "a filter has no", [name for name in dir(Filter) if name[:3] == "on_"])
    messages = overrides(filter, "on_message")
    reports = reports_for(filter.uses) | {"link-disconnect"}
    if messages:
        reports |= {"tx-reset"}
    own = handlers(filter)
    reports |= own.keys() & wire.REPORTS.keys()
    phases = [name for name in wire.REQUESTS if name in own]
    if messages:
        phases += ["data-line"] if "commit" in phases else ["data-line", "commit"]
    return [name for name in wire.REPORTS if name in reports], phases


def _check(filter: Filter, attribute: str, fault: str, names: Collection[str]) -> None:
    place = f"{type(filter).__name__}.{attribute}"
    given = getattr(filter, attribute)
    if isinstance(given, str):  # a name without the comma that makes it a tuple
        raise LocalError(f"{place} is a str; write a tuple, even of one name")
    for name in given:
        if name not in names:
            known = ", ".join(names) + did_you_mean(str(name), names)
            raise LocalError(f"{place}: {fault} {name!r}, but {known}")
