"""Match bytes with an ``Expression``, in a time that no key can make long.

All ways through the expression are followed at once, as a set of positions, so that each byte of a
key costs the same at most, whatever stands before it. Sets that have been met are remembered, with
the set that each byte leads to. (glibc's regexec(3) has no such limit: ``(a|b)*a(a|b){100}$`` takes
it 5 seconds and 90 MB for a key of 1,023 bytes.)
"""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

from opensmtpd.table.matching.brackets import ALL, WORD
from opensmtpd.table.matching.expression import Expression
from opensmtpd.table.matching.positions import each

_FOUND, _LOST, _UNKNOWN = -1, -2, -3
"""Where the rest of the key does not count, and a step that has not been made."""
_EDGE, _OTHER, _LETTER = range(3)
"""Kinds of neighbours of a place in the key: its begin or end, a byte, a byte of a word."""
_HOLDS: dict[int | str, Callable[[int, int], bool]] = {
    "^": lambda before, after: before == _EDGE,
    "$": lambda before, after: after == _EDGE,
    "<": lambda before, after: before != _LETTER and after == _LETTER,
    ">": lambda before, after: before == _LETTER and after != _LETTER,
    "b": lambda before, after: (before == _LETTER) != (after == _LETTER),
    "B": lambda before, after: (before == _LETTER) == (after == _LETTER),
}
"""Functions that return whether an anchor matches in a place."""


class _Place(NamedTuple):
    """Where an expression goes on in places of one kind."""

    first: int
    """The positions with which it may begin there."""
    ends: int
    """The positions behind which it may end there."""
    tables: list[dict[str, int]]
    """The positions that may follow, by the digits of a set in hexadecimal, last digit first."""

    def after(self, active: int) -> int:
        """Return all that may come there: what begins, and what follows ``active``."""
        reached = self.first
        for table, digit in zip(self.tables, f"{active:x}"[::-1], strict=False):
            if digit != "0":
                reached |= table[digit]
        return reached


class _Met(NamedTuple):
    """The states that were met: a state is a set of positions and what stands before a place."""

    states: list[tuple[int, int]]
    numbers: dict[tuple[int, int], int]
    moves: list[list[int]]
    """The state that each class of bytes leads to."""


class Automaton:
    """Tells whether an expression matches anywhere in a text. Not for several threads at once."""

    def __init__(self, expression: Expression) -> None:
        kinds: dict[int | str, int] = {}  # what positions take, and which positions these are
        for position, takes in enumerate(expression.positions.takes):
            kinds[takes] = kinds.get(takes, 0) | 1 << position
        self._end = expression.end
        letters = WORD if kinds.keys() & {"<", ">", "b", "B"} else 0
        self._places, tables = _places(expression, kinds)
        # Whether it may begin, or end, behind the begin of a key.
        self._inside = any(place.first for (before, _), place in self._places.items() if before)
        sets = {takes: mask for takes, mask in kinds.items() if isinstance(takes, int)}
        classes = _classes([letters, *sets])
        self._class_of = bytes(_numbered(classes))
        self._before = [_LETTER if some & letters else _OTHER for some in classes]
        self._takers = [  # the positions that take the bytes of a class
            sum(mask for takes, mask in sets.items() if takes & some) for some in classes
        ]
        size = len(expression.positions.takes)
        self.size = 3000 + size * (100 + tables * (130 + size // 2))
        """Bytes of memory that it takes, about."""
        self.state_size = 300 + 8 * len(classes) + size // 8
        """Bytes that each state takes, about."""
        self.work = 60 + size * 2 // 5
        """The cost of a new step; one that is remembered costs 1."""
        self.forget()

    def forget(self) -> None:
        """Forget the states and steps that are remembered."""
        self.steps = 0
        """The number of steps that are remembered."""
        start = (0, _EDGE)
        self._met = _Met([start], {start: 0}, [[_UNKNOWN] * len(self._before)])

    @property
    def states(self) -> int:
        """Return the number of states that are remembered."""
        return len(self._met.states)

    def match(self, key: bytes, most: int) -> bool | None:
        """Return whether the expression matches anywhere in ``key``.

        None where that takes more than ``most`` new steps; those made so far are remembered.
        """
        met, state = self._met, 0
        moves = met.moves
        self._limit = self.steps + most
        for kind in key.translate(self._class_of):
            to = moves[state][kind]
            if to < 0:
                if to == _UNKNOWN:
                    to = moves[state][kind] = self._step(met, state, kind)
                if to < 0:
                    return None if to == _UNKNOWN else to == _FOUND
            state = to
        active, before = met.states[state]
        place = self._places[before, _EDGE]
        return bool(active & place.ends | place.first & self._end)

    def _step(self, met: _Met, state: int, kind: int) -> int:
        """Return the state that a byte of a class leads to, unknown where the limit is reached."""
        if self.steps >= self._limit:
            return _UNKNOWN
        self.steps += 1
        active, before = met.states[state]
        after = self._before[kind]
        reached = self._places[before, after].after(active)
        if reached & self._end:
            return _FOUND
        active = reached & self._takers[kind]
        if not active and not self._inside:
            return _LOST
        number = met.numbers.get((active, after))
        if number is None:  # in an order in which an exception of a signal does no harm
            number = len(met.states)
            met.moves[number:] = [[_UNKNOWN] * len(self._before)]
            met.states.append((active, after))
            met.numbers[active, after] = number
        return number


def _classes(sets: list[int]) -> list[int]:
    """Return the sets of bytes between which none of ``sets`` tells a difference, largest first."""
    classes = [ALL]
    for one in sets:
        classes = [part for each in classes for part in (each & one, each & ~one) if part]
    return sorted(classes, key=int.bit_count, reverse=True)


def _numbered(classes: list[int]) -> list[int]:
    """Return for each byte the number of its class."""
    numbers = [0] * 256
    for number, members in enumerate(classes[1:], 1):
        for byte in each(members):
            numbers[byte] = number
    return numbers


def _places(
    expression: Expression, kinds: dict[int | str, int]
) -> tuple[dict[tuple[int, int], _Place], int]:
    """Return the places by what stands before and behind them, and how many have tables."""
    places: dict[tuple[int, int], _Place] = {}
    made: dict[tuple[int, bool], _Place] = {}
    anchors = {kind: mask for kind, mask in kinds.items() if kind in _HOLDS}
    for before, after in product((_EDGE, _OTHER, _LETTER), repeat=2):
        holding = sum(mask for kind, mask in anchors.items() if _HOLDS[kind](before, after))
        inside = bool(before and after)
        if (holding, inside) not in made:
            follow = _Follow(expression, sum(anchors.values()), holding)
            made[holding, inside] = follow.place(tables=inside)
        places[before, after] = made[holding, inside]
    return places, sum(bool(place.tables) for place in made.values())


class _Follow:
    """Finds the positions that follow others in places where only the anchors ``holding`` match."""

    def __init__(self, expression: Expression, anchors: int, holding: int) -> None:
        self._expression, self._anchors, self._holding = expression, anchors, holding
        self._known: dict[int, int] = {}

    def place(self, *, tables: bool) -> _Place:
        """Return the place; ``tables`` are needed inside of keys only."""
        end, first = self._expression.end, self._through(self._expression.first)
        follow = [self._through(mask) for mask in self._expression.positions.follow]
        ends = sum(1 << position for position, mask in enumerate(follow) if mask & end)
        starts = range(0, len(follow), 4) if tables else ()
        return _Place(first, ends, [_table(follow[at : at + 4]) for at in starts])

    def _through(self, reached: int) -> int:
        """Return the positions that are reached through anchors, which are not among them."""
        if not reached & self._anchors:
            return reached
        if reached not in self._known:
            found, todo = reached, reached & self._holding
            while todo:
                anchor = todo & -todo
                follow = self._expression.positions.follow[anchor.bit_length() - 1]
                todo = todo & ~anchor | follow & self._holding & ~found
                found |= follow
            self._known[reached] = found & ~self._anchors
        return self._known[reached]


def _table(follow: list[int]) -> dict[str, int]:
    """Return what follows sets of four positions, by the digit that stands for the set."""
    masks = [0]
    for mask in follow:
        masks += [mask | other for other in masks]
    return {f"{digit:x}": mask for digit, mask in enumerate(masks)}
