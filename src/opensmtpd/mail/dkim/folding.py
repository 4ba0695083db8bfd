"""Folding of the DKIM-Signature field, at the places where the C filter-dkimsign folds.

A line is filled up to 78 columns, a tab counting to the next multiple of eight. It may be broken
after the field's name, after each ``;``, after each ``:`` of ``h=``, and between the characters of
the values that may hold white space anywhere (``b=``, ``bh=`` and ``z=``, RFC 6376 section 3.5).
White space after a break gives way to the line end and tab. What fits on no line overflows.
"""

COLUMNS = 78
_INDENT = 8
_ROOM = COLUMNS - _INDENT
_BREAK = b"\r\n\t"


class Folding:
    """A field that grows piece by piece, and is folded where a piece does not fit."""

    __slots__ = ("_parts", "column")

    def __init__(self, text: bytes = b"", column: int = 0) -> None:
        """Begin with ``text``, which is folded already and ends in ``column``."""
        self._parts = [text]
        self.column = column
        """The columns of the last line."""

    def piece(self, text: bytes) -> None:
        """Append bytes that are not to be broken; a space in front is dropped at a break."""
        self.column += len(text)
        if self.column > COLUMNS:
            text = text.lstrip(b" ")
            self._parts.append(_BREAK)
            self.column = _INDENT + len(text)
        self._parts.append(text)

    def run(self, text: bytes) -> None:
        """Append bytes that may be broken anywhere; they hold no white space."""
        room = max(0, COLUMNS - self.column)
        self._parts.append(text[:room])
        self.column += min(room, len(text))
        if len(text) > room:
            lines = [text[at : at + _ROOM] for at in range(room, len(text), _ROOM)]
            self._parts += (_BREAK, _BREAK.join(lines))
            self.column = _INDENT + len(lines[-1])

    def copy(self) -> "Folding":
        """Return one that goes on from here, apart from this one."""
        return Folding(self.text(), self.column)

    def text(self) -> bytes:
        """Return the field so far: CRLF and tab at each break, nothing at its end."""
        return b"".join(self._parts)
