"""The requests of smtpd to a table: the call that each becomes, and the form of its answer.

Source: ``table_proc_lookup``, ``table_proc_fetch`` and ``table_proc_update`` in ``table_proc.c``.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from opensmtpd._counters.counts import OWN
from opensmtpd._counters.names import Cell
from opensmtpd._protocol.table.matched_lookup import MATCHED, checker, find, several
from opensmtpd.errors import DecisionError, LocalError
from opensmtpd.table import Service, Table, values
from opensmtpd.table.service import SERVICES

Encode: TypeAlias = Callable[[object], bytes]
"""Takes the result of a table's method and returns the end of an answer. Raises DecisionError."""


class Request:
    """A kind of request: ``call`` takes its key and asks the table, ``encode`` takes the result."""

    __slots__ = ("call", "counted", "encode", "head", "name", "service")

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
        """The name of the call in the log."""
        self.counted = _counted(verb.decode("ascii"), service)
        """The place of the count of an answer, by the first byte of the answer."""


def _counted(verb: str, service: Service | None) -> dict[int, int]:
    cells: list[Cell]
    if verb == "update":
        cells = [("opensmtpd_plugin_table_updates", each) for each in ("ok", "error")]
    else:
        name = "unknown" if service is None else service.value
        results = ("found", "not-found", "error")
        cells = [("opensmtpd_plugin_table_requests", verb, name, each) for each in results]
    return {ord(cell[-1][0]): OWN.index[cell] for cell in cells}


def keyed(table: Table) -> dict[tuple[bytes, bytes], Request]:
    """Return the requests that have a key, by verb and service as on the wire."""
    requests = {}
    for label, service in SERVICES.items():
        for verb, call, encode in (
            (b"lookup", table.lookup, encode_value),
            (b"check", checker(table), encode_found),
        ):
            whole = call
            if service in MATCHED:
                whole = partial(find, table, call, ask_many=several(table, call))
            requests[verb, label] = Request(verb, service, partial(whole, service), encode)
    # The hashes of auth do not leave this process.
    requests[b"lookup", b"auth"] = Request(b"lookup", None, unknown_service, encode_value)
    requests[b"check", b"auth"] = _authentication(table)
    return requests


def _authentication(table: Table) -> Request:
    """Return the request that checks a password; nobody asks a table without ``auth`` for it."""
    if Service.AUTH not in table.services:
        return Request(b"check", Service.AUTH, unknown_service, encode_found, "auth")
    from opensmtpd._protocol.table.auth import (  # noqa: PLC0415  few tables need it
        authenticate,
        encode_authenticated,
    )

    call = partial(authenticate, table)
    return Request(b"check", Service.AUTH, call, encode_authenticated, "auth")


def encode_value(value: object) -> bytes:
    """Return the end of an answer to ``lookup`` and ``fetch``. Raises DecisionError."""
    return b"not-found" if value is None else b"found|" + values.encode(value)


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
    """Raise LocalError: no table serves that."""
    raise LocalError("an unknown service")
