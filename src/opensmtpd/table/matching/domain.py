"""Host names against patterns with stars: ``hostname_match`` in smtpd's util.c.

A star takes what comes before the first occurrence of the character that follows it, and never
more: ``*.example.org`` matches ``a.example.org`` and not ``a.b.example.org``. At the end of a
pattern it takes all the rest, which must not be empty, so that ``*`` matches any name and
``*.*`` any that has a dot in it. There are no other wildcards. Case does not matter.
"""

from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

from opensmtpd.table.limits import KEY_MAX
from opensmtpd.table.matching.text import folded

WORK_MAX = 80_000
"""Work of a lookup among patterns with stars in unusual places: about 15 ms, and three times that
for a mail address. One that begins and ends as a name does is 2, and 1 more for each of its parts.
"""
_LENGTHS_WORK = 5
"""Work to look for those whose begin and end have certain lengths."""
_EXACT = 1 << 16


class Match(NamedTuple):
    """A row that matches."""

    rank: int
    """Its rank: the bytes of its pattern that are no stars; more than any without one."""
    row: str


class _Odd(NamedTuple):
    """A pattern with stars in unusual places."""

    parts: list[str]  # what is between the stars
    match: Match


def domain_candidates(name: str, limit: int = KEY_MAX) -> Iterator[str]:
    """Yield the patterns that match and have stars for labels in front, the most specific first.

    ``name`` and the patterns have a character for each byte; patterns of more than ``limit`` bytes
    are left out.
    """
    last = name
    for pattern in _starred(name):
        # A label that is a star already changes nothing.
        if pattern != last and len(pattern) <= limit:
            yield pattern
        last = pattern


def _starred(name: str) -> Iterator[str]:
    stars, at = "*", name.find(".")
    while at >= 0:
        yield stars + name[at:]
        stars += ".*"
        at = name.find(".", at + 1)
    if name and not name.endswith("."):
        yield stars
    if "." in name:
        yield "*"


class _SameLengths(NamedTuple):
    """Odd patterns whose begin and end have certain lengths."""

    by_ends: dict[str, list[_Odd]]
    """The patterns by their owner, begin and end."""
    work: dict[str, int]
    """The steps that it takes to try those of each list."""


class Domains:
    """An index of patterns, each of which may have an owner (``user@``) in front."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}  # owner and pattern to the row as it was written
        self._depths: list[int] = []  # which numbers of labels are stars, with literal ones behind
        self._stars: list[int] = []  # the same where there are none behind
        self._odd: dict[tuple[int, int], _SameLengths] = {}
        self._work = 0
        self._most: dict[tuple[int, int], int] = {}  # the work of the longest list of each

    def add(self, row: str) -> None:
        """Add a row that is a pattern alone. Raises ValueError for one too many."""
        self.put(folded(row), row)

    def put(self, pattern: str, row: str, owner: str = "") -> None:
        """Add a row; ``pattern`` and ``owner`` are in lower case, a character for each byte.

        Raises ValueError, with the reason, where a lookup would take too long with it.
        """
        self._keep(owner + pattern, row)
        if "*" not in pattern:
            return
        while "**" in pattern:  # says the same as one
            pattern = pattern.replace("**", "*")
        rest = pattern
        while rest.startswith("*."):
            rest = rest[2:]
        depth = (len(pattern) - len(rest)) // 2
        if "*" in rest and rest != "*":
            self._put_odd(pattern, row, owner)
            return
        self._keep(owner + pattern, row)
        seen, number = (self._stars, depth + 1) if rest == "*" else (self._depths, depth)
        if number not in seen:
            insort(seen, number)

    def _keep(self, key: str, row: str) -> None:
        """Keep the first row of a key, but a row that reads like the key before one that means it.

        ``**`` means ``*``: a key ``*`` finds the row ``*`` where there are both.
        """
        kept = self._rows.get(key)
        if kept is None:
            self._rows[row if key == row else key] = row  # one str, not two that are equal
        elif folded(row) == key != folded(kept):
            self._rows[key] = row

    def _put_odd(self, pattern: str, row: str, owner: str) -> None:
        """File a pattern under what it begins and ends with, and under how long both are.

        Those of other begins and ends cost a lookup nothing, so that the longest list counts.
        """
        parts = pattern.split("*")
        head, tail = parts[0], parts[-1]
        lengths, ends = (len(head), len(tail)), f"{owner}{head}*{tail}"
        odds = self._odd.get(lengths) or _SameLengths({}, {})
        work = odds.work.get(ends, _LENGTHS_WORK) + 2 + len(parts)
        more = work - self._most.get(lengths, 0)
        if more > 0:
            if self._work + more > WORK_MAX:
                raise ValueError("too many rows with stars within begin and end like it")
            self._most[lengths] = work
            self._work += more
        match = Match(len(pattern) - pattern.count("*"), row)
        odds.by_ends.setdefault(ends, []).append(_Odd(parts, match))
        odds.work[ends] = work
        self._odd[lengths] = odds

    def find(self, name: str) -> str | None:
        """Return the most specific row without owner that matches a name in lower case."""
        match = self.best(name)
        return None if match is None else match.row

    def best(self, name: str, owner: str = "") -> Match | None:
        """Return the most specific row of an owner, None where no row matches."""
        row = self._rows.get(owner + name)
        if row is not None:
            return Match(_EXACT, row)
        found = [*self._leading(name, owner), *self._odd_ones(name, owner), *self._all(name, owner)]
        return max(found, key=_rank, default=None)

    def _leading(self, name: str, owner: str) -> Iterator[Match]:
        """Find the row with stars for the fewest leading labels."""
        at = dots = 0
        for depth in self._depths:
            while dots < depth:
                at = name.find(".", at) + 1
                if not at:
                    return
                dots += 1
            row = self._rows.get(owner + "*." * depth + name[at:])
            if row is not None:
                yield Match(depth + len(name) - at, row)
                return

    def _all(self, name: str, owner: str) -> Iterator[Match]:
        """Find the row with the most stars of those that have nothing else."""
        most = name.count(".") + (not name.endswith(".") and name != "")
        for stars in reversed(self._stars):
            if stars <= most:
                row = self._rows.get(owner + "*." * (stars - 1) + "*")
                if row is not None:
                    yield Match(stars - 1, row)
                    return

    def _odd_ones(self, name: str, owner: str) -> Iterator[Match]:
        for (head, tail), odds in self._odd.items():
            key = f"{owner}{name[:head]}*{name[max(0, len(name) - tail) :]}"
            for odd in odds.by_ends.get(key, ()):
                if _matches(name, odd.parts):
                    yield odd.match


def _rank(match: Match) -> int:
    return match.rank


def _matches(name: str, parts: list[str]) -> bool:
    """Match what is between the stars of a pattern; only the first and the last may be empty."""
    if not name.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        at = name.find(part[0], at)
        if at < 0 or not name.startswith(part, at):
            return False
        at += len(part)
    last = parts[-1]
    if not last:
        return at < len(name)
    at = name.find(last[0], at)
    return at >= 0 and name[at:] == last
