"""Replies of the server as values for smtpd.

``table_redis_lookup`` and ``table_redis_check`` in ``table_redis.c`` 1.0.1 are the model; the
manual page table-redis(5) lists where this differs.
"""

import re

from opensmtpd.backends.network.connection import ServerReply
from opensmtpd.errors import LocalError
from opensmtpd.table import Service

LISTS = frozenset([Service.ALIAS, Service.MAILADDRMAP])
"""Services whose arrays are one list."""
FIELDS = frozenset([Service.CREDENTIALS, Service.AUTH, Service.USERINFO])
"""Services whose arrays are the fields of one row."""
MEMBERS = frozenset(
    [Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.STRING, Service.REGEX]
)
"""Services of which smtpd asks only whether there is a row."""


def value(service: Service, reply: ServerReply) -> str | None:
    """Return the value for smtpd, None where there is no row.

    Raises LocalError for a reply that cannot be one, such as an array in an array.
    """
    if isinstance(reply, list):
        reply = _fields(reply) if service in FIELDS else _joined(service, reply)
    if isinstance(reply, int):
        return _counted(service, reply)
    if service is Service.USERINFO and reply:
        _must_have_numbers(reply)
    return reply or None


def _fields(cells: list[ServerReply]) -> str | None:
    """Return the fields of a row as one value, None where one is missing."""
    try:
        text = ":".join(cells)
    except TypeError:  # not all are strings
        cells = [_text(cell) for cell in cells]
        text = ":".join(cells)
    return None if "" in cells else text


def _joined(service: Service, cells: list[ServerReply]) -> str | None:
    """Return an array as one value."""
    texts = [cell if type(cell) is str else _text(cell) for cell in cells]
    if service in LISTS:
        return ", ".join(filter(None, texts))
    if len(texts) > 1 and any(texts):
        raise LocalError(f"query_{service} gives {len(texts)} values and should give one")
    return "".join(texts)


def _text(cell: ServerReply) -> str:
    if isinstance(cell, list):
        raise LocalError("the reply has an array in an array")
    return "" if cell is None else str(cell)


def _counted(service: Service, count: int) -> str | None:
    """Return a number as a value: it counts rows, as that of SISMEMBER does."""
    if count <= 0:
        return None
    if service not in MEMBERS:
        raise LocalError(f"query_{service} gives a number and should give text")
    return str(count)


def _must_have_numbers(text: str) -> None:
    if _NUMBERS.match(text):
        return
    for name, cell in zip(("uid", "gid"), text.split(":"), strict=False):
        if not (cell.isascii() and cell.isdigit()):
            raise LocalError(f"a {name} that is no number")


_NUMBERS = re.compile("[0-9]+:[0-9]+:")


def found(reply: ServerReply) -> bool:
    """Return whether there is a row, with any content."""
    if isinstance(reply, list):
        return any(found(cell) for cell in reply)
    if isinstance(reply, int):
        return reply > 0
    return reply is not None


def texts(reply: ServerReply) -> list[str]:
    """Return the values of a list. Raises LocalError."""
    cells = reply if isinstance(reply, list) else [reply]
    return [text for cell in cells if (text := _text(cell))]
