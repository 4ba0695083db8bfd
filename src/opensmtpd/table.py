"""The base class of tables: say which services there are, and look up rows."""

from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractContextManager, nullcontext
from types import CoroutineType
from typing import Any, TypeAlias, TypeVar

from opensmtpd.meaning import Patterns, candidates
from opensmtpd.queries import Service

T = TypeVar("T")

TableAnswer: TypeAlias = T | Coroutine[Any, Any, T]
"""The result of a table's method: the answer, or a coroutine (``async def``)."""


class Table:
    """A table: one row for one key.

    Keys are str as smtpd sends them: lower case, but for ``auth``; bytes that are no UTF-8 are
    surrogates. Methods may be ``async def``; plain ones must not block, for all mail waits.
    An exception becomes an error for smtpd, which then refuses mail for the time being.

    Wildcards, networks and addresses, as in table(5), are matched above this class: it is asked
    for the literal key first and then for the rows under which a match may stand.
    """

    services: Collection[Service] = ()
    """The services that smtpd may use the table for."""

    delimiter: str = "+"
    """The character at which the tag of a user begins, as ``smtp sub-addr-delim`` sets it."""

    force_auth: bool = False
    """Register ``auth`` with an smtpd before 7.9 too, although it lower-cases passwords."""

    def update(self) -> TableAnswer[None]:
        """Build the new state, then swap it in: called on ``smtpctl update table``.

        Raise ConfigError to keep the old state; its text goes to smtpd and to the log. Of any
        exception but a LocalError, only the type does.
        """

    def lookup(self, service: Service, key: str) -> TableAnswer[str | None]:
        """Return the value of the row whose key is ``key``, None where there is none.

        Of ``auth`` it is the user's hash, or ``user:hash``.
        """
        raise NotImplementedError

    def check(self, service: Service, key: str) -> TableAnswer[bool]:
        """Return whether there is a row whose key is ``key``.

        Override it where that costs less than ``lookup``, which is asked otherwise.
        """
        raise NotImplementedError

    def patterns(self, service: Service) -> Patterns | None:
        """Return an index of the rows that are no literal keys, where the table can list them.

        Without one, ``lookup`` is asked for each row that could match: leading ``*`` labels,
        networks, ``@domain``. Only an index knows odd wildcards and regular expressions.
        """
        return None

    def fetch(self, service: Service) -> TableAnswer[str | None]:
        """Return the next value of a list that smtpd takes in turn (``source``, ``relayhost``)."""
        raise NotImplementedError

    def snapshot(self) -> AbstractContextManager[object]:
        """Return a context that is entered around several lookups in a row.

        Override it to answer them from one state of the data, or to open a connection once.
        """
        return nullcontext()


Ask: TypeAlias = Callable[[Service, str], object]
"""``Table.lookup`` or ``Table.check``."""

MATCHED = frozenset([Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.REGEX])
"""Services whose keys are matched, not compared (``keycmp`` in ``table_static.c``)."""


def checker(table: Table) -> Ask:
    """Return the method to ask for ``check``: ``lookup`` where the table has no ``check``."""
    return table.lookup if type(table).check is Table.check else table.check


def find(table: Table, ask: Ask, service: Service, key: str) -> object:
    """Return the answer for the row that ``key`` matches, a false value where no row does.

    Matches as smtpd's own tables do, for services of MATCHED; for all others only the literal key
    counts. Returns a coroutine if the table's methods are coroutines.
    """
    index = table.patterns(service) if service is Service.REGEX else None
    if index is not None:  # a key is no expression, even where it is spelled like one
        row = index.find(key)
        return None if row is None else ask(service, row)
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
