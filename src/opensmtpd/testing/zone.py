"""A DNS of plain data, for tests of plugins that ask the DNS."""

from collections.abc import Mapping, Sequence

from opensmtpd.answer import Deferred
from opensmtpd.dns import Absent, Question, Reply


class Zone:
    """Replies from a mapping; a question that is not in it is proven absent.

    Its name does not exist (``nxdomain``) where the mapping has neither it nor a name below it, but
    for names that are not to exist.

    ``cached=False`` makes every question one that has to be asked, so that handlers return a
    Deferred.
    """

    def __init__(self, replies: Mapping[Question, Reply], *, cached: bool = True) -> None:
        self.replies = replies
        self.asked: list[Question] = []
        """Every question so far."""
        self.until: list[float] = []
        """The deadlines of those that were asked for."""
        self.started: list[Question] = []
        """Every question that was begun without anybody waiting."""
        self.reread = self.saved = 0
        """The number of calls of ``reread_servers`` and of ``save``."""
        self._cached = cached

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        """Return the replies, at once."""
        return self._replies(questions) if self._cached else None

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        """Return a Deferred that has its end: the replies."""
        self.until.append(until)
        replies: Deferred[list[Reply]] = Deferred()
        replies.settle(self._replies(questions))
        return replies

    def start(self, questions: Sequence[Question]) -> None:
        """Keep them: there is nobody to ask."""
        self.started += questions

    def reread_servers(self) -> None:
        """Count: there are no name servers."""
        self.reread += 1

    def save(self) -> None:
        """Count: there is nothing to save."""
        self.saved += 1

    def _replies(self, questions: Sequence[Question]) -> list[Reply]:
        self.asked += questions
        return [self.replies.get(each) or self._absence(each.name) for each in questions]

    def _absence(self, name: str) -> Absent:
        """Return the absence of a question that the mapping lacks."""
        nowhere = Absent(nxdomain=True)
        there = (each.name for each, reply in self.replies.items() if reply != nowhere)
        exists = any(f".{each}".endswith(f".{name}") for each in there)
        return Absent(nxdomain=not exists)
