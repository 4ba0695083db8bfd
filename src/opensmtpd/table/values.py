"""Values that smtpd can take from a table."""

from opensmtpd.errors import DecisionError
from opensmtpd.table.limits import VALUE_MAX
from opensmtpd.table.text import to_bytes


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
