"""Lookups of keys that are matched, not compared: domains, networks, mail addresses."""

from collections.abc import Callable, Coroutine, Sequence
from types import CoroutineType
from typing import Any, TypeAlias

from opensmtpd._protocol.table.registration import overrides
from opensmtpd.errors import DecisionError, returned
from opensmtpd.table import Service, Table
from opensmtpd.table.matching import candidates

Ask: TypeAlias = Callable[[Service, str], object]
"""``Table.lookup`` or ``Table.check``."""
AskMany: TypeAlias = Callable[[Service, Sequence[str]], object]
"""``Table.lookup_many`` or ``Table.check_many``."""

MATCHED = frozenset([Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.REGEX])
"""Services whose keys are matched, not compared (``keycmp`` in ``table_static.c``)."""


def checker(table: Table) -> Ask:
    """Return the method to ask for ``check``: ``lookup`` where the table has no ``check``."""
    return table.lookup if type(table).check is Table.check else table.check


def several(table: Table, ask: Ask) -> AskMany | None:
    """Return the method to ask for many rows in place of ``ask``; None where there is none."""
    name = "lookup_many" if ask == table.lookup else "check_many"
    return getattr(table, name) if overrides(table, name) else None


def find(
    table: Table, ask: Ask, service: Service, key: str, ask_many: AskMany | None = None
) -> object:
    """Return the answer for the row that ``key`` matches, a false value where no row does.

    Matches as smtpd's own tables do, for services of MATCHED; for all others only the literal key
    counts. Returns a coroutine if the table's methods are coroutines.
    """
    index = table.patterns(service) if service is Service.REGEX else None
    if index is not None:  # a key is no expression, even where it is spelled like one
        row = index.find(key)
        return None if row is None else ask(service, row)
    if ask_many is not None:
        return _find_at_once(table, ask_many, service, key)
    answer = ask(service, key)
    if isinstance(answer, CoroutineType):
        return _find_later(answer, table, ask, service, key)
    if answer:
        return answer
    index = table.patterns(service)
    if index is not None:
        row = index.find(key)
        return None if row is None or row == key else ask(service, row)
    with table.snapshot():
        for row in candidates(service, key, table.delimiter):
            answer = ask(service, row)
            if answer:
                break
    return answer


def _find_at_once(table: Table, ask_many: AskMany, service: Service, key: str) -> object:
    index = table.patterns(service)
    rows = candidates(service, key, table.delimiter) if index is None else [index.find(key)]
    answers = ask_many(service, [key, *(row for row in rows if row is not None and row != key)])
    return _first_later(answers) if isinstance(answers, CoroutineType) else _first(answers)


def _first(answers: object) -> object:
    """Return the first that counts. Raises DecisionError for what is no list."""
    if not isinstance(answers, list):
        raise DecisionError(f"a list of answers is expected; the table {returned(answers)}")
    return next(filter(None, answers), None)


async def _first_later(answers: Coroutine[Any, Any, object]) -> object:
    return _first(await answers)


async def _find_later(
    first: Coroutine[Any, Any, object], table: Table, ask: Ask, service: Service, key: str
) -> object:
    answer = await first
    if answer:
        return answer
    index = table.patterns(service)
    rows = candidates(service, key, table.delimiter) if index is None else [index.find(key)]
    for row in rows:
        if row is not None and row != key:
            later = ask(service, row)
            answer = await later if isinstance(later, CoroutineType) else later
        if answer:
            break
    return answer
