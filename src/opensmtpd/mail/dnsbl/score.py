"""The findings about a client, added up over the phases of its session."""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from opensmtpd.mail.dnsbl.findings import Listed, ListFinding, Unknown


class Tally:
    """The findings of a session."""

    __slots__ = ("_found", "session")

    def __init__(self, session: str) -> None:
        self.session = session
        """Its id."""
        self._found: dict[str, Sequence[ListFinding]] = {}

    def put(self, phase: str, findings: Sequence[ListFinding]) -> None:
        """Set the findings of a phase.

        Another HELO or MAIL FROM replaces the findings of the last one and of later phases.
        """
        before = takewhile(lambda found: found[0] != phase, self._found.items())
        self._found = {**dict(before), phase: findings}

    def __iter__(self) -> Iterator[ListFinding]:
        """Return an iterator over all findings, in the order in which they were made."""
        return (finding for each in self._found.values() for finding in each)

    @property
    def listed(self) -> list[Listed]:
        """Return the listings that count, for or against the client, without allow lists."""
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
        """Return whether the client is on an allow list."""
        return any(isinstance(each, Listed) and each.list.allow for each in self)

    @property
    def doubtful(self) -> bool:
        """Return whether a list that could not be asked might be in the client's favor."""
        return any(each.list.spares for each in self.unknown)
