"""The header of a message as milters change it, one after another.

It counts as Sendmail and Postfix do where they agree, and serves the milters that are written for
either where they do not: see ``MilterHeader.change``.
"""

from collections.abc import Iterable
from typing import NamedTuple

from opensmtpd.filter import EditedMessage


class HeaderEdits(NamedTuple):
    """The changes of a header, on the indices of the fields that it came with."""

    removed: list[int]
    replaced: list[tuple[int, bytes]]
    """Index and value."""
    inserted: list[tuple[int, bytes, bytes]]
    """The index of the field that it stands in front of, as many as there are fields for the end;
    name and value. In the order in which they stand."""


class _Slot:
    """A field, or the place where one was."""

    __slots__ = ("came_with", "changed", "key", "live", "name", "value")

    def __init__(self, name: bytes, value: bytes, came_with: int | None) -> None:
        self.name, self.key, self.value = name, name.lower(), value
        self.came_with = came_with
        """The index that it came with, None for a new one."""
        self.live, self.changed = True, False


class _Named:
    """The slots of a name, in the order in which they stand."""

    __slots__ = ("_next", "slots")

    def __init__(self, slots: list[_Slot]) -> None:
        self.slots = slots
        self._next = list(range(len(slots)))
        """For each, itself or one behind it, with none that is live between the two."""

    def append(self, slot: _Slot) -> None:
        self._next.append(len(self.slots))
        self.slots.append(slot)

    def live_from(self, at: int) -> _Slot | None:
        """Return the first live one from an index on.

        The way over the dead ones is shortened each time: a client may send any number of fields
        that a milter removes one by one.
        """
        way = []
        while at < len(self.slots) and not self.slots[at].live:
            way.append(at)
            at = max(self._next[at], at + 1)
        for each in way:
            self._next[each] = at
        return self.slots[at] if at < len(self.slots) else None


class MilterHeader:
    """The fields of one message.

    ``fields`` are the names and values, all behind the colon, of the fields that milters see: not
    those that smtpd put on top. ``own`` is how many unseen ones the index of an insertion counts:
    one, the MTA's Received (``cleanup_find_header_start`` in Postfix's ``cleanup_milter.c``), so
    that milters which want to stand right below it, as newer OpenDKIM, insert at 1.
    """

    def __init__(self, fields: Iterable[tuple[bytes, bytes]], own: int = 1) -> None:
        self._came = [_Slot(name, value, at) for at, (name, value) in enumerate(fields)]
        self._slots = [*(_Slot(b"", b"", None) for _ in range(own)), *self._came]
        """With places for the unseen ones, which have no name: no milter can name them."""
        self._named: dict[bytes, _Named] | None = None
        """By the name in lower case; None before it is needed."""

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Begin a milter's turn: return the fields that it sees.

        Those that milters before it removed are not counted any more.
        """
        self._slots = [slot for slot in self._slots if slot.live]
        self._named = None
        return [(slot.name, slot.value) for slot in self._slots if slot.name]

    def add(self, name: bytes, value: bytes) -> None:
        """Add a field behind the header."""
        slot = _Slot(name, value, None)
        self._slots.append(slot)
        if self._named is not None:
            self._named.setdefault(slot.key, _Named([])).append(slot)

    def insert(self, index: int, name: bytes, value: bytes) -> None:
        """Insert a field before the one with an index, behind the header where there is none.

        What is inserted above the unseen fields stands right below them in the end.
        """
        at = 0
        while at < len(self._slots) and (index or not self._slots[at].live):
            index -= self._slots[at].live
            at += 1
        slot = _Slot(name, value, None)
        self._slots.insert(at, slot)
        if self._named is not None:
            self._named[slot.key] = _Named([each for each in self._slots if each.key == slot.key])

    def change(self, index: int, name: bytes, value: bytes | None) -> None:
        """Change the field with an index, from 1, among those of a name; None removes it.

        Where there are not so many, the value is added as a new field, and nothing is removed. A
        field that this milter has removed is counted still, as by Sendmail; but a change of it goes
        to the next one of the name. So all are removed by a milter that goes up from 1, as for
        Sendmail, by one that always says 1, as for Postfix, and by one that goes down.
        """
        if self._named is None:
            self._named = {}
            for each in self._slots:
                self._named.setdefault(each.key, _Named([])).append(each)
        named = self._named.get(name.lower())
        slot = named.live_from(index - 1) if named is not None else None
        if slot is None:
            if value is not None:
                self.add(name, value)
        elif value is None:
            slot.live = False
        else:
            slot.value, slot.changed = value, True

    def edits(self) -> HeaderEdits:
        """Return all changes by all milters."""
        old = self._came
        edits = HeaderEdits(
            [at for at, slot in enumerate(old) if not slot.live],
            [(at, slot.value) for at, slot in enumerate(old) if slot.live and slot.changed],
            [],
        )
        before = len(old)
        for slot in reversed(self._slots):
            if slot.came_with is not None:
                before = slot.came_with
            elif slot.live and slot.name:
                edits.inserted.append((before, slot.name, slot.value))
        edits.inserted.reverse()
        return edits


def perform(mail: EditedMessage, edits: HeaderEdits, hidden: int) -> None:
    """Make the edits to a message whose first ``hidden`` fields no milter saw.

    Raises DecisionError for a field that no header can hold.
    """
    fields = mail.fields[hidden:]
    for before, name, value in edits.inserted:
        if before == len(fields):
            mail.append(name, value)
    for before, name, value in reversed(edits.inserted):  # from the end, so that indices hold
        if before < len(fields):
            mail.insert(hidden + before, name, value)
    for at, value in edits.replaced:
        mail.replace(fields[at], value)
    for at in edits.removed:
        mail.remove(fields[at])
