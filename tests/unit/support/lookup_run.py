"""Run a lookup on plain data, and count what it asks."""

from collections.abc import Callable
from typing import Any, TypeVar

from opensmtpd.dns import Failed, Lookup, Question, Reply
from opensmtpd.dns.lookup import Gather, Soon

T = TypeVar("T")


class LookupRun:
    """A DNS of plain data, and the rounds in which it was asked."""

    def __init__(self, reply: Callable[[Question], Reply]) -> None:
        self.rounds: list[list[Question]] = []
        self.slow: set[Question] = set()
        """The questions that steps which wait for a short time get no reply to."""
        self._reply = reply

    def __call__(self, lookup: Lookup[T]) -> T:
        """Return the result of a lookup that gathers no others."""
        replies: Any = None
        try:
            while True:
                step = lookup.send(replies)
                assert not isinstance(step, Gather)
                self.rounds.append(list(step))
                slow = self.slow if isinstance(step, Soon) else ()
                replies = [
                    Failed("no answer in time") if question in slow else self._reply(question)
                    for question in step
                ]
        except StopIteration as end:
            result: T = end.value
        return result

    @property
    def asked(self) -> list[Question]:
        """All questions so far."""
        return [question for each in self.rounds for question in each]
