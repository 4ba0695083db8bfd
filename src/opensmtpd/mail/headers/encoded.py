"""Encoded words in the fields of a header (RFC 2047), decoded for those who look for a text."""

import codecs
from email.errors import HeaderParseError
from email.header import decode_header

CHARSETS = {
    name: codecs.lookup(name)
    for name in (
        *("utf-8", "us-ascii", "koi8-r", "koi8-u", "gb2312", "gbk", "gb18030", "big5"),
        *("shift_jis", "iso-2022-jp", "euc-jp", "euc-kr"),
        *(f"iso-8859-{part}" for part in range(1, 17) if part != 12),
        *(f"windows-125{part}" for part in range(9)),
    )
}
"""The charsets that are decoded. They are read now, for a filter reads no files later."""
_SIGN = b"=?"


def shown(value: bytes) -> bytes:
    """Return a value as it is shown, in UTF-8; as it is where nothing in it can be decoded."""
    if _SIGN not in value:
        return value
    try:
        parts = decode_header(value.decode("latin-1"))
        return b"".join(_decoded(part, charset) for part, charset in parts)
    except (HeaderParseError, LookupError, ValueError):
        return value


def _decoded(part: str | bytes, charset: str | None) -> bytes:
    if isinstance(part, str):
        return part.encode("latin-1")
    if charset is None:  # between two words
        return part
    return CHARSETS[charset.partition("*")[0].lower()].decode(part, "replace")[0].encode()
