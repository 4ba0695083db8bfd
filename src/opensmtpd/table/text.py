"""Bytes of the wire, of files and databases as text, and back."""


def to_str(raw: bytes) -> str:
    """Return bytes of the wire, of a file or a database as text; never fails.

    They are UTF-8; other bytes become surrogates (``surrogateescape``).
    """
    return raw.decode() if raw.isascii() else raw.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes of a text. Raises UnicodeEncodeError for text that no bytes give."""
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogateescape")


def lower(key: str) -> str:
    """Return a key in lower case, ASCII only, as smtpd asks for it (``lowercase`` in ``util.c``).

    Raises UnicodeEncodeError for text that no bytes give.
    """
    raw = key.encode("utf-8", "surrogateescape").lower()
    return raw.decode("utf-8", "surrogateescape")
