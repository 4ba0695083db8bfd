"""``check auth user:password``: passwords checked by us, for hashes that crypt(3) lacks."""

from collections.abc import Coroutine
from functools import partial
from types import CoroutineType
from typing import Any

from opensmtpd.answer import Offload
from opensmtpd.table import Service, Table, passwords, values

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def authenticate(table: Table, key: str) -> Offload[bool] | Coroutine[Any, Any, bool]:
    """Return an Offload or a coroutine that checks a key: the hash is computed in a thread.

    ``key`` is ``user:password``. Raises any exception of the table's, and DecisionError for a hash
    that smtpd could not take. smtpd sends both as the client typed them (``lka_authenticate`` in
    ``lka.c``); users are looked up in lower case, as for ``credentials``.
    """
    user, _, password = key.partition(":")
    user = user.translate(_LOWER)
    value = table.lookup(Service.AUTH, user)
    if isinstance(value, CoroutineType):
        return _later(value, password, user)
    return Offload(partial(passwords.verify, password, _hash(value), user))


async def _later(lookup: Coroutine[Any, Any, object], password: str, user: str) -> bool:
    import asyncio  # noqa: PLC0415  loaded: it runs this

    return await asyncio.to_thread(passwords.verify, password, _hash(await lookup), user)


def _hash(value: object) -> str | None:
    """Return the hash in ``user:hash`` or ``hash``. Raises DecisionError."""
    if value is None:
        return None
    user, colon, hash = values.valid(value).partition(":")
    return hash if colon else user
