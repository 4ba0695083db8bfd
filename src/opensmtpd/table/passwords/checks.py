"""Have passwords checked by a worker: the side of the process that smtpd talks to."""

from collections.abc import Coroutine
from functools import cache
from types import CoroutineType
from typing import Any

from opensmtpd.answer import Deferred
from opensmtpd.errors import LocalError, Unavailable
from opensmtpd.table import values
from opensmtpd.worker import Pool

SECONDS = 2.0
"""Time for a password: smtpd asks no other table, for no other mail, until it has the answer."""


class Checks:
    """The worker that checks the passwords of a table."""

    def __init__(self) -> None:
        """Start it. Raises ConfigError."""
        self.pool = Pool("opensmtpd.table.passwords.worker:Hashes", deadline=SECONDS)

    def ask(self, password: str, hash: str | None, user: str) -> Deferred[bool]:
        """Return a Deferred that tells whether ``hash`` is one of ``password``: see ``verify``.

        It fails with LocalError for a hash that cannot be checked, and with Unavailable where the
        worker does not answer in time, or dies of it. Both name the user, where there is a hash.
        """
        result: Deferred[bool] = Deferred()
        whose = f"{user}: " if hash is not None else ""

        def end(reply: Any, error: BaseException | None) -> None:
            if isinstance(reply, bool):
                result.settle(reply)
            elif isinstance(reply, str):
                result.fail(LocalError(reply))
            else:
                reason = error or "the worker's reply is none"
                result.fail(Unavailable(f"{whose}the password was not checked: {reason}"))

        self.pool.ask([password, hash, user]).on_end(end)
        return result


@cache
def checks() -> Checks:
    """Return the worker of this process; it is started when first asked for. Raises ConfigError."""
    return Checks()


def compare(row: object, password: str, user: str) -> Deferred[bool] | Coroutine[Any, Any, bool]:
    """Return a Deferred or a coroutine that tells whether a password is that of a user's row.

    ``row`` is what ``Table.lookup`` returned for ``auth``: ``hash``, ``user:hash``, or None; or a
    coroutine or a Deferred that ends so. It fails as that does, as ``Checks.ask`` does, and with
    DecisionError for a row that smtpd could not take.
    """
    worker = checks()
    if isinstance(row, CoroutineType):
        return _compare_later(row, worker, password, user)
    if isinstance(row, Deferred):
        return row.then(lambda value: worker.ask(password, _hash(value), user))
    return worker.ask(password, _hash(row), user)


async def _compare_later(
    row: Coroutine[Any, Any, object], worker: Checks, password: str, user: str
) -> bool:
    return await worker.ask(password, _hash(await row), user)


def _hash(value: object) -> str | None:
    if value is None:
        return None
    user, colon, hash = values.valid(value).partition(":")
    return hash if colon else user
