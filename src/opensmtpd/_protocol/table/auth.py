"""``check auth user:password``: passwords checked by a worker, for hashes that crypt(3) lacks."""

from collections.abc import Coroutine
from types import CoroutineType
from typing import Any

from opensmtpd.answer import Deferred
from opensmtpd.table import Service, Table, values
from opensmtpd.table.passwords.checks import Checks, checks

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def authenticate(table: Table, key: str) -> Deferred[bool] | Coroutine[Any, Any, bool]:
    """Return a Deferred or a coroutine that checks a key: a worker computes the hash.

    ``key`` is ``user:password``. Raises any exception of the table's, and DecisionError for a hash
    that smtpd could not take. smtpd sends both as the client typed them (``lka_authenticate`` in
    ``lka.c``); users are looked up in lower case, as for ``credentials``.
    """
    user, _, password = key.partition(":")
    user = user.translate(_LOWER)
    worker = checks()
    value = table.lookup(Service.AUTH, user)
    if isinstance(value, CoroutineType):
        return _later(value, worker, password, user)
    if isinstance(value, Deferred):
        return value.then(lambda row: worker.ask(password, _hash(row), user))
    return worker.ask(password, _hash(value), user)


async def _later(
    lookup: Coroutine[Any, Any, object], worker: Checks, password: str, user: str
) -> bool:
    return await worker.ask(password, _hash(await lookup), user)


def _hash(value: object) -> str | None:
    """Return the hash in ``user:hash`` or ``hash``. Raises DecisionError."""
    if value is None:
        return None
    user, colon, hash = values.valid(value).partition(":")
    return hash if colon else user
