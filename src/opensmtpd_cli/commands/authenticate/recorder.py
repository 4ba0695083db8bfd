"""The DNS of one command: it waits for the replies, and keeps what was asked."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from opensmtpd.answer import Deferred
from opensmtpd.dns import Dns, Lookup, Question, Reply
from opensmtpd_cli import lookups

T = TypeVar("T")


class DnsRecorder:
    """Asks ``dns``, and remembers what it was asked."""

    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self._asked: dict[Question, Reply | None] = {}

    @property
    def replies(self) -> dict[Question, Reply]:
        """The reply to each question, in the order in which they were asked."""
        return {question: reply for question, reply in self._asked.items() if reply is not None}

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        """Return all replies at once, or None where a name server has to be asked."""
        replies = self._dns.known(questions)
        return None if replies is None else self._keep(questions, replies)

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        """Return a Deferred for all replies, in order."""
        for question in questions:
            self._asked.setdefault(question, None)
        return self._dns.ask(questions, until).then(partial(self._keep, questions))

    def _keep(self, questions: Sequence[Question], replies: list[Reply]) -> list[Reply]:
        self._asked.update(zip(questions, replies, strict=True))
        return replies

    def start(self, questions: Sequence[Question]) -> None:
        """Begin to ask; the replies are kept when somebody waits for them."""
        self._dns.start(questions)

    def reread_servers(self) -> None:
        """Do nothing: a command does not live that long."""

    def save(self) -> None:
        """Do nothing: a command keeps no cache."""

    def result(self, lookup: Lookup[T], within: float) -> T:
        """Wait for the result of a lookup, whose questions have so many seconds in all."""
        return lookups.result(lookup, self, within)
