"""The positions of a regular expression, and which may follow which (V. M. Glushkov, 1961).

A position is one character of the expression, with its repeats written out: ``a{3}b`` has four. A
set of positions is an int, with a bit for each.
"""

from collections.abc import Iterator
from typing import NamedTuple

POSITIONS_MAX = 1000
"""Positions of an expression: the time and memory of a match grow with them."""


class Part(NamedTuple):
    """A part of an expression."""

    first: int
    """The positions with which it may begin."""
    last: int
    """The positions with which it may end."""
    empty: bool
    """True where it matches the empty text, with any text around it."""


NOTHING = Part(0, 0, empty=True)


class Positions:
    """The positions so far; parts are made of them and put together."""

    def __init__(self) -> None:
        self.takes: list[int | str] = []
        """The set of bytes that each position takes; or nothing: then it is an anchor's name."""
        self.follow: list[int] = []
        """The positions that may come after each position."""

    def new(self, takes: int | str) -> Part:
        """Return a new position as a part. Raises ValueError where there are too many."""
        self._grow([takes], [0])
        at = 1 << len(self.takes) - 1
        return Part(at, at, empty=False)

    def then(self, one: Part, two: Part) -> Part:
        """Return two parts, one behind the other."""
        self._link(one.last, two.first)
        return Part(
            one.first | (two.first if one.empty else 0),
            two.last | (one.last if two.empty else 0),
            one.empty and two.empty,
        )

    def repeat(self, part: Part, start: int, least: int, most: int | None) -> Part:
        """Return a part that is repeated: its positions begin at ``start`` and are the last ones.

        ``most`` is None where there is no limit. Raises ValueError where there are too many.
        """
        takes, follow = self.takes[start:], self.follow[start:]
        width, copies = len(takes), max(least, 1) if most is None else most
        if not copies or not width:
            del self.takes[start:], self.follow[start:]
            return NOTHING
        # Each copy is followed by the next one only: all are alike, so that copies that match
        # nothing may as well be the last ones.
        for shift in range(width, width * copies, width):
            self._grow(takes, [mask << shift for mask in follow])
            self._link(part.last << shift - width, part.first << shift)
        if most is None:
            tail = width * (copies - 1)
            self._link(part.last << tail, part.first << tail)
        least = 0 if part.empty else least
        ends = range(width * (max(least, 1) - 1), width * copies, width)
        return Part(part.first, sum(part.last << shift for shift in ends), empty=not least)

    def _grow(self, takes: list[int | str], follow: list[int]) -> None:
        if len(self.takes) + len(takes) > POSITIONS_MAX:
            raise ValueError(f"with its repeats written out, over {POSITIONS_MAX} characters")
        self.takes += takes
        self.follow += follow

    def _link(self, before: int, after: int) -> None:
        for position in each(before):
            self.follow[position] |= after


def either(one: Part, two: Part) -> Part:
    """Return two parts of which one counts."""
    return Part(one.first | two.first, one.last | two.last, one.empty or two.empty)


def each(mask: int) -> Iterator[int]:
    """Yield the positions of a set."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
