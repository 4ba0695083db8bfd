"""The DNS of one command: it waits for the replies, and keeps what was asked."""

import select
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from opensmtpd import answer
from opensmtpd.answer import Deferred
from opensmtpd.dns import Dns, Lookup, Question, Reply, run_lookup

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

    def reread_servers(self) -> None:
        """Do nothing: a command does not live that long."""

    def save(self) -> None:
        """Do nothing: a command keeps no cache."""

    def result(self, lookup: Lookup[T], within: float) -> T:
        """Wait for the result of a lookup, whose questions have so many seconds in all."""
        found = run_lookup(lookup, self, within)
        return _end(found) if isinstance(found, Deferred) else found


def _end(deferred: Deferred[T]) -> T:
    """Wait for the end of a Deferred. Raises what it fails with."""
    ends: list[tuple[T, BaseException | None]] = []
    deferred.on_end(lambda value, error: ends.append((value, error)))
    while not ends:
        for settle in _settlements():
            settle()
    [(value, error)] = ends
    if error is not None:
        raise error
    return value


def _settlements() -> Iterator[Callable[[], object]]:
    """Wait for what comes next from the processes that were asked."""
    sources = answer.sources()
    poll = select.poll()
    for source in sources:
        source.flush()
        poll.register(source.fileno(), select.POLLIN)
    times = [source.next_deadline() for source in sources]
    due = min((each for each in times if each is not None), default=None)
    wait = None if due is None else max(0.0, due - time.monotonic()) * 1000 + 1
    ready = {descriptor for descriptor, _ in poll.poll(wait)}
    for source in sources:
        if source.fileno() in ready:
            yield from source.receive()
        yield from source.expire(time.monotonic())
