"""``check auth user:password``: the key is taken apart, and the table judges the password."""

from opensmtpd.errors import DecisionError, returned
from opensmtpd.table import Table

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def authenticate(table: Table, key: str) -> object:
    """Return the answer of ``Table.authenticate``, which may come later. Raises what that does.

    ``key`` is ``user:password``. smtpd sends both as the client typed them (``lka_authenticate`` in
    ``lka.c``); users are looked up in lower case, as for ``credentials``.
    """
    user, _, password = key.partition(":")
    return table.authenticate(user.translate(_LOWER), password)


def encode_authenticated(result: object) -> bytes:
    """Return the end of an answer. Raises DecisionError for all but a bool.

    A table that returned the user's row, say, would let in everybody who has one.
    """
    if not isinstance(result, bool):
        raise DecisionError(f"authenticate() {returned(result)}, not a bool")
    return b"found" if result else b"not-found"
