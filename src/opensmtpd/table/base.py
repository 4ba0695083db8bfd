"""The base class of tables: say which services there are, and look up rows."""

from collections.abc import Collection, Coroutine, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from opensmtpd._methods import check_call, check_plain, check_timers
from opensmtpd.answer import Deferred
from opensmtpd.needs import Needs
from opensmtpd.table.service import Service

if TYPE_CHECKING:
    from opensmtpd.table.matching import Patterns

T = TypeVar("T")

TableAnswer: TypeAlias = T | Coroutine[Any, Any, T]
"""The result of a table's method: the answer, or a coroutine (``async def``)."""


class Table:
    """A table: one row for one key.

    Keys are str as smtpd sends them: lower case, but for ``auth``; bytes that are no UTF-8 are
    surrogates. Methods may be ``async def``; a plain one must not wait for longer than mail can,
    a second say: all mail waits meanwhile.
    An exception becomes an error for smtpd, which then refuses mail for the time being.

    Wildcards, networks and addresses, as in table(5), are matched above this class: it is asked
    for the literal key first and then for the rows under which a match may stand.

    A class raises LocalError when it is made where a method cannot be called, because it takes
    other arguments than here, or any under ``@every``; and where ``patterns``, ``snapshot``,
    ``hold`` or ``stamp`` is ``async def``.
    """

    services: Collection[Service] = ()
    """The services that smtpd may use the table for."""

    smtpd_name: str = ""
    """Its name in smtpd.conf. Empty until smtpd has told it, which is before any request."""

    delimiter: str = "+"
    """The character at which the tag of a user begins, as ``smtp sub-addr-delim`` sets it."""

    needs: Needs | None = None
    """The things that it does after ``start``: all else is taken from it. None: anything."""

    force_auth: bool = False
    """Register ``auth`` with an smtpd before 7.9 too, although it lower-cases passwords."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        check_call(cls, Table, _METHODS)
        check_plain(cls, "patterns", "snapshot", "hold", "stamp")
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

        Of ``auth`` it is the user's hash, or ``user:hash``, where ``authenticate`` is not
        overridden.
        """
        raise NotImplementedError

    def authenticate(self, user: str, password: str) -> TableAnswer[bool] | Deferred[bool]:
        """Return whether the password is that of the user: for ``auth``.

        ``user`` is in lower case, and ``password`` as it was typed; both may be empty. Override it
        where something else has to tell, a server say; nothing but a bool is taken for an answer.
        Otherwise a worker compares the password with the hash that ``lookup`` returns.
        """
        from opensmtpd.table.passwords.checks import compare  # noqa: PLC0415  few tables need it

        return compare(self.lookup(Service.AUTH, user), password, user)

    def check(self, service: Service, key: str) -> TableAnswer[bool]:
        """Return whether there is a row whose key is ``key``.

        Override it where that costs less than ``lookup``, which is asked otherwise.
        """
        raise NotImplementedError

    def lookup_many(self, service: Service, keys: Sequence[str]) -> TableAnswer[list[str | None]]:
        """Return the values of the rows with these keys, in their order, None where there is none.

        Override it where many rows at once cost less than one after another: smtpd's key comes
        first, and then the rows under which a match may stand, the most specific first: at most
        260 for an address, and 520 for a name. The first value counts, so that the list may end
        behind it.
        """
        raise NotImplementedError

    def check_many(self, service: Service, keys: Sequence[str]) -> TableAnswer[list[bool]]:
        """Return whether there are rows with these keys: as ``lookup_many``, for ``check``."""
        raise NotImplementedError

    def patterns(self, service: Service) -> "Patterns | None":
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

    def hold(self, service: Service) -> AbstractContextManager[object]:
        """Return a context that is entered around a lookup and its stamps.

        Override it where the data are locked for a lookup anyway: what is asked in it may be
        answered from one state, and ``stamp`` need not look at the data each time. It is entered
        only for services whose answers may be kept, and a coroutine runs after it was left.
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
