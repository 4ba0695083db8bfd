"""What the lists say of one client, added up over the phases of its session."""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from opensmtpd.dnsbl.answers import Finding, Listed, Unknown


class Tally:
    """The findings of a session."""

    __slots__ = ("_found", "session")

    def __init__(self, session: str) -> None:
        self.session = session
        """Its id."""
        self._found: dict[str, Sequence[Finding]] = {}

    def put(self, phase: str, findings: Sequence[Finding]) -> None:
        """Take what was found in a phase.

        Another HELO or MAIL FROM takes the place of the last one and of what came after it.
        """
        before = takewhile(lambda found: found[0] != phase, self._found.items())
        self._found = {**dict(before), phase: findings}

    def __iter__(self) -> Iterator[Finding]:
        """All findings, in the order in which they were made."""
        return (finding for each in self._found.values() for finding in each)

    @property
    def listed(self) -> list[Listed]:
        """Return what counts, for or against the client."""
        return [each for each in self if isinstance(each, Listed) and not each.list.allow]

    @property
    def score(self) -> int:
        """Return the sum of the scores."""
        return sum(each.list.score for each in self.listed)

    @property
    def unknown(self) -> list[Unknown]:
        """Return the lists that could not be asked."""
        return [each for each in self if isinstance(each, Unknown)]

    @property
    def allowed(self) -> bool:
        """Is the client on a list of those that are spared?"""
        return any(isinstance(each, Listed) and each.list.allow for each in self)

    @property
    def doubtful(self) -> bool:
        """May it be on a list that speaks for it, and that could not be asked?"""
        return any(each.list.spares for each in self.unknown)
