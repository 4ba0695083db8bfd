"""The base class of tables: say which services there are, and look up rows."""

from collections.abc import Collection, Coroutine, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

from opensmtpd._methods import check_call, check_plain, check_timers
from opensmtpd.needs import Needs
from opensmtpd.table.matching import Patterns
from opensmtpd.table.service import Service

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

    A class raises LocalError when it is made where a method cannot be called, because it takes
    other arguments than here, or any under ``@every``; and where ``patterns``, ``snapshot`` or
    ``stamp`` is ``async def``.
    """

    services: Collection[Service] = ()
    """The services that smtpd may use the table for."""

    delimiter: str = "+"
    """The character at which the tag of a user begins, as ``smtp sub-addr-delim`` sets it."""

    needs: Needs | None = None
    """The things that it does after ``start``: all else is taken from it. None: anything."""

    force_auth: bool = False
    """Register ``auth`` with an smtpd before 7.9 too, although it lower-cases passwords."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        check_call(cls, Table, _METHODS)
        check_plain(cls, "patterns", "snapshot", "stamp")
        check_timers(cls, Table)

    def start(self) -> TableAnswer[None]:
        """Open all that requests need: called once, before smtpd hears that the table is ready.

        It may be ``async def``, and has 60 seconds then, a plain one 30: smtpd waits for it. Raise
        ConfigError to end the program with its text and status 1, and smtpd with it; any
        LocalError but Unavailable does the same. Any other failure is logged, and the program goes
        on: a server that is down must not keep the mail server down. ``-n`` does not call it.
        """
        return None

    def stop(self) -> TableAnswer[None]:
        """Save state that is to last, and close: smtpd is gone, and the process ends next.

        It may be ``async def``, and is waited for for 5 seconds. A failure is logged.
        """
        return None

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

    def stamp(self, service: Service) -> Hashable | None:
        """Return a value that differs once any answer of a service may differ, None if unknown.

        Override it where that costs less than an answer, as the number of a version does. While the
        value is the same, answers are kept and given again, and the table is not asked. It is taken
        before a lookup and behind it. Those are not kept: errors, what comes from a coroutine, and
        ``auth``, ``credentials``, ``source`` and ``relayhost``. ``update`` forgets all.
        """
        return None


_METHODS = {name for name in vars(Table) if callable(vars(Table)[name]) and name[0] != "_"}
