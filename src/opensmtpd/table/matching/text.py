"""Keys and rows as smtpd compares them: bytes in the C locale, which smtpd never leaves.

Inside this package a text is a str that has one character for each byte: the same str where it is
ASCII, so that a large index shares its texts with those who gave them.
"""


def as_bytes(text: str) -> str:
    """Return a text (with surrogate escapes) as one character for each byte of it; never fails."""
    return text if text.isascii() else _encoded(text).decode("latin-1")


def folded(text: str) -> str:
    """Return the same in lower case, A to Z only: ``lowercase`` in smtpd's util.c."""
    return text.lower() if text.isascii() else _encoded(text).lower().decode("latin-1")


def as_text(piece: str) -> str:
    """Return (a piece of) a text of this package as it goes to others, with surrogate escapes."""
    if piece.isascii():
        return piece
    return piece.encode("latin-1").decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair: no bytes are read as that
        return text.encode("utf-8", "surrogatepass")
