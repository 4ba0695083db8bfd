"""Questions in flight: each is asked once at a time, and their number is bounded."""

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from opensmtpd.dns.names import is_wire_name
from opensmtpd.dns.question import Failed, Question, Reply
from opensmtpd.dns.resolver.orders import ASK
from opensmtpd.dns.resolver.replies import unpacked
from opensmtpd.dns.resolver.waits import Wait
from opensmtpd.worker import Pool

if TYPE_CHECKING:  # most share no replies
    from opensmtpd.dns.resolver.shared import SharedReplies

IN_FLIGHT = 10_000
"""Questions that name servers are asked at a time, at most.

The id of a message has 16 bits (RFC 1035 section 4.1.1).
"""
STARTED = IN_FLIGHT // 2
"""The same, beyond which no other is begun unless somebody waits for it."""
WAITING = 100_000
"""Questions at a time, at most, with those that wait for their turn."""
SHARED = 10_000
"""Waits for the reply to one question, at most."""
FULL = Failed("too many questions at a time", ours=True)
NO_NAME = Failed("the DNS has no such names", ours=True)


class InFlight:
    """A question in flight, or one that waits for its turn."""

    __slots__ = ("since", "waits")

    def __init__(self) -> None:
        self.since: float | None = None
        """When the resolver's process got it, in seconds of the monotonic clock."""
        self.waits: dict[Wait, None] = {}


class InFlightQuestions:
    """The questions that the resolver's process has, or is to be given."""

    def __init__(
        self,
        pool: Pool,
        on_reply: Callable[[Question, Reply, float, bool], None],
        on_complete: Callable[[Wait], None],
        patience: float,
        shared: "SharedReplies | None" = None,
    ) -> None:
        """``on_reply`` is called with each question, its reply, for how long it may be kept, and
        whether the process gave it; ``on_complete`` with each wait that has all its replies then.

        ``patience`` is the least number of seconds after which a timeout is the name server's
        failure. No name server is asked for what is ``shared``.
        """
        self._pool = pool
        self._shared = shared
        self._on_reply = on_reply
        self._on_complete = on_complete
        self._patience = patience
        self._asked: dict[Question, InFlight] = {}
        # Not a dict: see ``_protocol.jobs.Pending``.
        self._waiting: OrderedDict[Question, InFlight] = OrderedDict()
        self._giving = False

    def __len__(self) -> int:
        """Return the number of questions that the resolver's process has, or is about to get."""
        return len(self._asked)

    def join(self, question: Question, wait: Wait) -> Failed | None:
        """Have a wait get the reply to a question; return a failure where it cannot be asked."""
        current = self._asked.get(question) or self._waiting.get(question)
        if current is None:
            if not is_wire_name(question.name):
                return NO_NAME
            if len(self._asked) + len(self._waiting) >= WAITING:
                return FULL
            current = self._waiting[question] = InFlight()
        elif len(current.waits) >= SHARED:
            return FULL
        current.waits[wait] = None
        return None

    def start(self, question: Question) -> None:
        """Ask a question for which nobody waits yet, if it can be asked at once."""
        known = question in self._asked or question in self._waiting
        if known or not is_wire_name(question.name):
            return
        if len(self._asked) + len(self._waiting) < STARTED:
            self._waiting[question] = InFlight()

    def leave(self, question: Question, wait: Wait) -> Failed:
        """Have a wait get no reply any more; return the one to take for it, as its time is over."""
        asked = self._asked.get(question)
        current = asked or self._waiting.get(question)
        if current is not None:
            current.waits.pop(wait, None)
            if not current.waits and asked is None:  # or those who come later would wait for it
                del self._waiting[question]
        return self.late(question)

    def late(self, question: Question) -> Failed:
        """Return the reply to a question whose time is over."""
        asked = self._asked.get(question)
        since = None if asked is None else asked.since
        ours = since is None or time.monotonic() - since < self._patience
        return Failed("no answer in time", ours)

    def give(self) -> None:
        """Give the resolver's process the questions that there is room for."""
        if self._giving:  # a pool that refuses answers at once
            return
        self._giving = True
        try:
            while self._waiting and len(self._asked) < IN_FLIGHT:
                question, current = self._waiting.popitem(last=False)
                self._asked[question] = current
                if self._shared is None:
                    self._ask(question)
                else:
                    known = self._shared.get(question)
                    known.on_end(partial(self._take_shared, question))
        finally:
            self._giving = False

    def _take_shared(
        self, question: Question, found: tuple[Reply, float] | None, _: BaseException | None
    ) -> None:
        """Take the reply that another machine has had, or ask."""
        if found is None:
            self._ask(question)
        else:
            self._end(question, *found, asked=False)

    def _ask(self, question: Question) -> None:
        self._asked[question].since = time.monotonic()
        reply = self._pool.ask([ASK, question.name, question.kind.value])
        reply.on_end(partial(self._receive, question))

    def _receive(self, question: Question, row: object, error: BaseException | None) -> None:
        """Take what the resolver's process replied, or the failure of the pool."""
        reply, ttl = _read(question, row, error)
        if self._shared is not None:
            self._shared.put(question, reply, ttl)
        self._end(question, reply, ttl, asked=True)

    def _end(self, question: Question, reply: Reply, ttl: float, *, asked: bool) -> None:
        """Remember a reply, and give it to those who wait for it."""
        current = self._asked.pop(question)
        with suppress(Exception):  # no memory to remember it: those who wait get it nevertheless
            self._on_reply(question, reply, ttl, asked)
        for wait in current.waits:
            wait.take(question, reply)
            if not wait.missing:
                self._on_complete(wait)
        self.give()


def _read(question: Question, row: object, error: BaseException | None) -> tuple[Reply, float]:
    if error is not None:
        return Failed("the resolver does not answer", ours=True), 0.0
    try:
        return unpacked(question, row, time.monotonic())
    except (ValueError, TypeError):
        return Failed("the resolver answers nonsense", ours=True), 0.0
