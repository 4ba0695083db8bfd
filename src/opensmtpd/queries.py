"""The services of tables, and the values that a table may answer with.

Source: ``table_proc.c`` of OpenSMTPD 7.6 and 7.9, ``table_service_name`` in ``table.c``.
"""

from enum import StrEnum

from opensmtpd.errors import DecisionError

VALUE_MAX = 2047
"""Bytes of a value: smtpd copies values into buffers of 2,048 (``LINE_MAX``)."""


class Service(StrEnum):
    """The services that smtpd uses a table for: its values are smtpd's names."""

    ALIAS = "alias"
    DOMAIN = "domain"
    CREDENTIALS = "credentials"
    NETADDR = "netaddr"
    USERINFO = "userinfo"
    SOURCE = "source"
    MAILADDR = "mailaddr"
    ADDRNAME = "addrname"
    MAILADDRMAP = "mailaddrmap"
    RELAYHOST = "relayhost"
    STRING = "string"
    REGEX = "regex"
    AUTH = "auth"


SERVICES = {service.value.encode("ascii"): service for service in Service}
"""Services by their names on the wire."""


def to_str(raw: bytes) -> str:
    """Return bytes of the wire, of a file or a database as text; never fails.

    They are UTF-8; other bytes become surrogates (``surrogateescape``).
    """
    return raw.decode() if raw.isascii() else raw.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes of a text. Raises UnicodeEncodeError for text that no bytes give."""
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogateescape")


def valid(value: object) -> str:
    """Return a value that smtpd can take. Raises DecisionError."""
    encode(value)
    assert isinstance(value, str)
    return value


def encode(value: object) -> bytes:
    """Return a value as it goes to smtpd.

    Raises DecisionError for a value that smtpd would die of (empty: ``found|`` is "empty response";
    a line feed) or cannot use (NUL, CR, more than VALUE_MAX bytes).
    """
    if not isinstance(value, str):
        raise DecisionError(f"a value is a str, not {type(value).__name__}")
    try:
        raw = to_bytes(value)
    except UnicodeEncodeError:
        raise DecisionError("the value is no text") from None
    if not raw:
        raise DecisionError("the value is empty")
    if len(raw) > VALUE_MAX:
        raise DecisionError(f"the value has {len(raw)} bytes, and smtpd takes {VALUE_MAX}")
    if b"\n" in raw or b"\r" in raw or b"\0" in raw:
        raise DecisionError("the value holds a line end or a NUL")
    return raw
