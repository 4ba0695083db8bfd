"""The edits of one message: the fields of its header as they are now, and what its body gets."""

from collections.abc import Iterable, Sequence

from opensmtpd.errors import DecisionError, LocalError
from opensmtpd.filter import field
from opensmtpd.filter.field import Field, Value


class _Place:
    """A place in the header: what stands there now, None for nothing."""

    __slots__ = ("item",)

    def __init__(self, item: Field | bytes | None) -> None:
        self.item = item


class Edits:
    """The header of one message, parsed on first use, and the edits to it and to the body.

    ``header`` is bytes without dot-stuffing, each line with its line feed, without the blank line
    behind it. ``line_max`` is the number of bytes that a line to smtpd may have.
    """

    def __init__(self, header: bytes, line_max: int) -> None:
        self.header_changed = False
        self.body: list[bytes] | bytes | None = None
        """The lines in the place of the body, as bytes with line feeds where they came so; None for
        those that came from smtpd."""
        self.appended: list[bytes] = []
        """The lines behind the body."""
        self._header, self._line_max = header, line_max
        self._places: list[_Place] = []
        self._place_of: dict[Field, _Place] = {}
        self._parsed = False
        self._fields: tuple[Field, ...] | None = None

    # --- reading --------------------------------------------------------------------------------

    def fields(self) -> tuple[Field, ...]:
        """Return the fields as they are now."""
        if self._fields is None:
            found = (place.item for place in self._read())
            self._fields = tuple(item for item in found if isinstance(item, Field))
        return self._fields

    def header(self) -> bytes:
        """Return the header as it is now, each line with its line feed."""
        if not self._parsed:
            return self._header
        return b"".join([_text(place.item) for place in self._places])

    def _read(self) -> list[_Place]:
        if not self._parsed:
            self._parsed = True
            self._places = [_Place(item) for item in field.items(self._header)]
            self._place_of = {
                place.item: place for place in self._places if isinstance(place.item, Field)
            }
            self._header = b""
        return self._places

    # --- the header -----------------------------------------------------------------------------

    def insert(self, at: int, name: bytes, value: Value) -> Field:
        """Insert a field before the one with the index ``at``; behind the header where none is."""
        if at < 0:
            raise DecisionError(f"a field is inserted at an index of 0 or more, not {at}")
        new = field.make(name, value, self._line_max)
        places = self._read()
        if at == 0:  # without a look at the fields, which takes long after each edit
            return self._put(self._top(), new)
        fields = self.fields()
        if at < len(fields):
            return self._put(places.index(self._place_of[fields[at]]), new)
        return self._put(len(places), new)

    def append(self, name: bytes, value: Value) -> Field:
        """Add a field behind the header."""
        return self._put(len(self._read()), field.make(name, value, self._line_max))

    def _put(self, where: int, new: Field) -> Field:
        place = self._place_of[new] = _Place(new)
        self._places.insert(where, place)
        self._changed()
        return new

    def _top(self) -> int:
        """Return where a field at the top goes: a line with a blank in front would continue it."""
        first = self._places[0].item if self._places else None
        return int(isinstance(first, bytes) and first.startswith((b" ", b"\t")))

    def replace(self, old: Field, value: Value) -> Field:
        """Put a field of the same name in the place of ``old``."""
        place = self._find("replace", old)
        new = field.make(old.name, value, self._line_max)
        del self._place_of[old]
        place.item, self._place_of[new] = new, place
        self._changed()
        return new

    def remove(self, old: Field) -> None:
        """Take ``old`` out of the header."""
        place = self._find("remove", old)
        place.item = None
        del self._place_of[old]
        self._changed()

    def _find(self, edit: str, old: object) -> _Place:
        if not isinstance(old, Field):
            kind = type(old).__name__
            raise LocalError(
                f"{edit}() takes one Field, as fields and named() return them, not a {kind}"
            )
        self._read()
        place = self._place_of.get(old)
        if place is None:
            raise LocalError(f"{old!r:.200} is no field of this message, or no longer one")
        return place

    def _changed(self) -> None:
        self.header_changed = True
        self._fields = None

    # --- the body -------------------------------------------------------------------------------

    def replace_body(self, lines: Sequence[bytes] | bytes) -> None:
        """Put ``lines`` in the place of the body, and of all that was appended to it."""
        self.body = self._whole(lines) if isinstance(lines, bytes) else self._checked(lines)
        self.appended = []

    def append_body(self, lines: Sequence[bytes]) -> None:
        """Add ``lines`` behind the body."""
        self.appended += self._checked(lines)

    def _whole(self, lines: bytes) -> bytes:
        if b"\0" in lines:
            raise DecisionError("a line of a body holds NUL")
        if field.has_longer_line(lines, self._line_max - 1):  # a dot in front of it is doubled
            raise DecisionError("a line of a body is longer than smtpd takes")
        return lines if lines.endswith(b"\n") or not lines else lines + b"\n"

    def _checked(self, lines: Sequence[bytes]) -> list[bytes]:
        if not isinstance(lines, list | tuple) or not _all_bytes(lines):
            raise DecisionError("a body is a list of lines, and these are bytes")
        if any(b"\n" in line or b"\0" in line for line in lines):
            raise DecisionError("a line of a body holds a line feed or NUL")
        if field.longest(lines) > self._line_max:
            raise DecisionError("a line of a body is longer than smtpd takes")
        return list(lines)


def _all_bytes(lines: Iterable[object]) -> bool:
    return all(isinstance(line, bytes) for line in lines)


def _text(item: Field | bytes | None) -> bytes:
    if item is None:
        return b""
    return (item.raw if isinstance(item, Field) else item) + b"\n"
