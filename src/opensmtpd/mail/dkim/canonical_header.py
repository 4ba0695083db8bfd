"""Header fields: which of them a signature covers, and their canonical form.

Source: RFC 6376 sections 3.4.1, 3.4.2 and 5.4. A header is one bytes object here, each of its lines
behind a line feed; that is unambiguous, as smtpd's lines hold none.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from opensmtpd.mail.dkim.canonical_body import squeeze

HeaderField: TypeAlias = tuple[bytes, bytes, bytes]
"""A field as it came: name, white space in front of the colon (obsolete), and what follows it.

Folded lines are joined by line feeds.
"""

_ODD_SPACE = re.compile(rb"[\r\v\f]")


def finder(names: tuple[bytes, ...]) -> Callable[[bytes], list[HeaderField]]:
    """Return a function that finds the fields of these names in a header, from top to bottom."""
    # A literal line feed at its front lets the search skip lines at the speed of memchr.
    pattern = re.compile(
        rb"\n(%s)([ \t]*):([^\n]*(?:\n[ \t][^\n]*)*)" % b"|".join(map(re.escape, names)),
        re.IGNORECASE,
    )
    return pattern.findall


def text(field: HeaderField) -> bytes:
    """Return a field as it came."""
    name, gap, value = field
    return name + gap + b":" + value


def simple(field: HeaderField) -> bytes:
    """Return a field in "simple" canonicalization, without its last line end (section 3.4.1)."""
    return text(field).replace(b"\n", b"\r\n")


def relaxed(field: HeaderField) -> bytes:
    """Return a field in "relaxed" canonicalization, without its last line end (section 3.4.2)."""
    return field[0].lower() + b":" + relaxed_value(field[2])


def verifiers_differ(value: bytes) -> bool:
    """Return whether verifiers disagree on the "relaxed" form of this value.

    RFC 6376 section 2.8 knows two kinds of white space, the space and the tab. Of CR, VT and FF,
    OpenDKIM takes all for white space, go-msgauth CR, rspamd CR and FF; Mail::DKIM takes all for
    white space where they stand in front, and dkimpy at both ends.
    """
    return _ODD_SPACE.search(value) is not None


def relaxed_value(value: bytes) -> bytes:
    """Return a value unfolded, its white space reduced to single spaces between words."""
    if verifiers_differ(value):  # split would take CR, VT and FF for white space, too
        return squeeze(value.replace(b"\n", b"")).strip(b" ")
    return b" ".join(value.split())


CANONICAL: dict[str, Callable[[HeaderField], bytes]] = {"simple": simple, "relaxed": relaxed}

_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b";=|")
_ENCODED = [bytes([byte]) if byte in _PLAIN else b"=%02X" % byte for byte in range(256)]
_LINE_END = b"=0D=0A"


def copied(lines: list[bytes]) -> bytes:
    """Return header lines as ``z=`` holds them (section 3.5), as the C filter-dkimsign does.

    Each line is followed by an encoded line end, and ``|`` stands between fields.
    """
    parts: list[bytes] = []
    for line in lines:
        if parts and not line.startswith((b" ", b"\t")):
            parts.append(b"|")
        parts.append(b"".join([_ENCODED[byte] for byte in line]) + _LINE_END)
    return b"".join(parts)
