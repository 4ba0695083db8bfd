"""The base class of tables: say which services there are, and look up rows."""

from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractContextManager, nullcontext
from types import CoroutineType
from typing import Any, TypeAlias, TypeVar

from opensmtpd.meaning import Patterns, candidates
from opensmtpd.queries import Service

T = TypeVar("T")

TableAnswer: TypeAlias = T | Coroutine[Any, Any, T]
"""What a table's methods may return: the answer, or a coroutine (``async def``)."""


class Table:
    """A table: one row for one key.

    Keys are str as smtpd sends them: lower case, but for ``auth``; bytes that are no UTF-8 are
    surrogates. Methods may be ``async def``; plain ones must not block, for all mail waits.
    What they raise becomes an error for smtpd, which then refuses mail for the time being.

    What table(5) says of wildcards, networks and addresses is done above this class: it is asked
    for the literal key first and then for the rows under which a match may stand.
    """

    services: Collection[Service] = ()
    """What smtpd may use the table for."""

    delimiter: str = "+"
    """Where the tag of a user begins, as ``smtp sub-addr-delim`` sets it."""

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
        """Is there such a row? To be overridden where that is less work than ``lookup``."""
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
        """Return what stands around several lookups that smtpd sent at once."""
        return nullcontext()


Ask: TypeAlias = Callable[[Service, str], object]
"""``Table.lookup`` or ``Table.check``."""

MATCHED = frozenset([Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.REGEX])
"""Services whose keys are matched, not compared (``keycmp`` in ``table_static.c``)."""


def checker(table: Table) -> Ask:
    """Return what answers whether there is a row."""
    return table.lookup if type(table).check is Table.check else table.check


def find(table: Table, ask: Ask, service: Service, key: str) -> object:
    """Ask for the row that ``key`` matches, as smtpd's own tables would; a false value if none.

    For services of MATCHED; of all others the literal key is all there is. A coroutine where the
    table's methods are.
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
