"""Fields of a message's header (RFC 5322 section 2.2): read, cut apart, and made."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from opensmtpd.errors import DecisionError

Value: TypeAlias = bytes | Sequence[bytes]
"""The value of a field to write: bytes, or its lines if it is folded.

Folded bytes have a line feed before each blank that begins a line. All lines but the first begin
with a space or a tab.
"""

_ITEM = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
"""A name is printable ASCII without colon (RFC 5322 section 3.6.8); in old mail, blanks may follow
it (section 4.5)."""
_WHOLE_NAME = re.compile(rb"[!-9;-~]+")
_BAD_LINE_FEED = re.compile(rb"\n(?![ \t])")


class Field:
    """A field of a header. Two fields are equal only if they are the same one.

    ``name`` is as it came, without the colon and any blanks before it. ``raw`` is the whole field
    as it came: its lines with line feeds between them, none at the end.
    """

    __slots__ = ("_start", "name", "raw")

    def __init__(self, raw: bytes, name_end: int, value_start: int) -> None:
        self.raw = raw
        self.name = raw[:name_end]
        self._start = value_start

    @property
    def value(self) -> bytes:
        """The value, unfolded: line feeds before blanks are gone (RFC 5322 section 2.2.3).

        The blanks that they stood before remain, but for those at the ends of the value.
        """
        return self.raw[self._start :].replace(b"\n", b"").strip(b" \t")

    @property
    def lines(self) -> list[bytes]:
        """The lines of the value as they came, a ``Value`` to write it folded as it was.

        The first is without the space behind the colon, if just one blank stands there before the
        text; the others have the blanks that they begin with. Written under the same name, they
        make the field as it came, but for blanks before the colon, which are left out, and for a
        value right behind the colon, which gets a space before it. The lines may hold carriage
        returns, which cannot be written.
        """
        first, *others = self.raw[self._start :].split(b"\n")
        if first.startswith(b" ") and first[1:2] not in (b"", b" ", b"\t"):
            first = first[1:]
        return [first, *others]

    def __repr__(self) -> str:
        return f"Field({self.name!r}, {self.value!r})"


def read(raw: bytes) -> Field | None:
    """Parse ``raw``, lines without a final line feed; return the field, None if it is not one."""
    found = _NAME.match(raw)
    return Field(raw, found.end(1), found.end()) if found else None


def items(header: bytes) -> Iterator[Field | bytes]:
    """Return what a header consists of: fields, and other lines with those that continue them.

    Each line of ``header`` ends in a line feed; what is returned has none at its end. A first line
    that begins with a blank is such an other line: there is no field that it could continue.
    """
    for item in _ITEM.findall(header):
        yield read(item[:-1]) or item[:-1]


def make(name: bytes, value: Value, line_max: int) -> Field:
    """Return a new field. ``line_max`` is the number of bytes that a line may have.

    Raises DecisionError for a name or value that no header can hold, and for a line too long.
    """
    if not isinstance(name, bytes) or not _WHOLE_NAME.fullmatch(name):
        raise DecisionError(f"{name!r:.80} is no name of a field")
    text = _checked(name, value)
    blank = b"" if not text or text.startswith((b" ", b"\t", b"\n")) else b" "
    raw = name + b":" + blank + text
    if longest(raw.split(b"\n")) > line_max:
        raise DecisionError(f"a line of the field {name.decode():.80} is longer than smtpd takes")
    return Field(raw, len(name), len(name) + 1)


def _checked(name: bytes, value: Value) -> bytes:
    """Return a value as it is to be written. Raises DecisionError."""
    field = name.decode()[:80]
    lines: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(line, bytes) for line in lines):
        raise DecisionError(f"the value of the field {field} is neither bytes nor lines")
    text = b"\n".join(lines)
    if b"\0" in text or b"\r" in text:
        raise DecisionError(f"the value of the field {field} holds a carriage return or NUL")
    if _BAD_LINE_FEED.search(text):
        if isinstance(value, bytes):
            raise DecisionError(f"a line feed in the value of {field} has no blank behind it")
        raise DecisionError(f"a line of the field {field} does not begin with a blank")
    return text


def longest(lines: Sequence[bytes]) -> int:
    """Return the length of the longest line in bytes, a dot at its beginning counted twice."""
    return max((len(line) + line.startswith(b".") for line in lines), default=0)


def has_longer_line(block: bytes, size: int) -> bool:
    """Return whether a line of ``block`` has more than ``size`` bytes, without cutting it apart."""
    start = 0
    while len(block) - start > size:
        end = block.rfind(b"\n", start, start + size + 1)
        if end < 0:
            return True
        start = end + 1
    return False
