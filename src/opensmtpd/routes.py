"""Where the requests of a table go, and what becomes of the answers.

Source: ``table_proc_lookup``, ``table_proc_fetch`` and ``table_proc_update`` in ``table_proc.c``.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from opensmtpd import queries
from opensmtpd.errors import DecisionError, LocalError
from opensmtpd.queries import SERVICES, Service
from opensmtpd.table import MATCHED, Table, checker, find

Encode: TypeAlias = Callable[[object], bytes]
"""Makes of what a table returned the end of an answer. Raises DecisionError."""


class Request:
    """Where a request goes, and what becomes of the answer."""

    __slots__ = ("call", "encode", "head", "name", "service")

    def __init__(
        self,
        verb: bytes,
        service: Service | None,
        call: Callable[[Any], object],
        encode: Encode,
        name: str = "",
    ) -> None:
        self.head = verb + b"-result|"
        """The beginning of the answer: the request's id and ``encode``'s bytes follow it."""
        self.service = service
        self.call = call
        self.encode = encode
        self.name = name or verb.decode("ascii")
        """What the call is called in the log."""


def keyed(table: Table) -> dict[tuple[bytes, bytes], Request]:
    """Return the routes of requests that have a key, by verb and service."""
    routes = {}
    for label, service in SERVICES.items():
        for verb, call, encode in (
            (b"lookup", table.lookup, encode_value),
            (b"check", checker(table), encode_found),
        ):
            whole = partial(find, table, call) if service in MATCHED else call
            routes[verb, label] = Request(verb, service, partial(whole, service), encode)
    # Nobody but us sees the hashes of auth.
    routes[b"lookup", b"auth"] = Request(b"lookup", None, unknown_service, encode_value)
    routes[b"check", b"auth"] = Request(
        b"check", Service.AUTH, partial(_authenticate, table), encode_found, "auth"
    )
    return routes


def _authenticate(table: Table, key: str) -> object:
    from opensmtpd.authentication import authenticate  # noqa: PLC0415  only who needs it

    return authenticate(table, key)


def encode_value(value: object) -> bytes:
    """Return the end of an answer to ``lookup`` and ``fetch``. Raises DecisionError."""
    return b"not-found" if value is None else b"found|" + queries.encode(value)


def encode_found(result: object) -> bytes:
    """Return the end of an answer to ``check``. Raises DecisionError."""
    if result is None or isinstance(result, bool | str):
        return b"found" if result else b"not-found"
    raise DecisionError(f"a check ends in a bool, not in a {type(result).__name__}")


def encode_done(result: object) -> bytes:
    """Return the end of an answer to ``update``. Raises DecisionError."""
    if result is not None:
        raise DecisionError(f"an update returns nothing, not a {type(result).__name__}")
    return b"ok"


def unknown_service(*_: object) -> None:
    """Raise LocalError: nobody serves that."""
    raise LocalError("an unknown service")
