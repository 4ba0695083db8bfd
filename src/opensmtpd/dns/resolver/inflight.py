"""Questions in flight: each is asked once at a time; their number and time are bounded."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from opensmtpd.dns.question import Failed, Question, Reply
from opensmtpd.dns.servers import ServerAddress

if TYPE_CHECKING:
    import asyncio

    from opensmtpd.dns.resolver.channel import Ares

IN_FLIGHT = 10_000
"""Questions that name servers are asked at a time, at most.

The id of a message has 16 bits (RFC 1035 section 4.1.1).
"""
WAITING = 100_000
"""Questions at a time, at most, with those that wait for their turn."""
LIFE = 30.0
"""Seconds after which a question is given up: c-ares should have done so before."""
ANSWERS_MAX = 50
"""Answers after which c-ares is made to drop the ones that it keeps."""


class InFlight:
    """A question in flight, or one that waits for its turn."""

    __slots__ = ("reply", "until")

    def __init__(self, reply: "asyncio.Future[Reply]", until: float) -> None:
        self.reply = reply
        self.until = until
        """The time at which the last caller stops waiting, in seconds of the monotonic clock."""


class InFlightQuestions:
    """Asks through the channels of c-ares, which are made with the first question."""

    def __init__(
        self,
        servers: Sequence[ServerAddress],
        on_reply: Callable[[Question, Reply, float], None],
        patience: float,
    ) -> None:
        """Ask ``servers``; an empty sequence stands for those of resolv.conf.

        ``on_reply`` is called with each question, its reply and the TTL, before the callers that
        wait for it. ``patience`` is the least number of seconds after which a timeout is the name
        server's failure.
        """
        self._servers = servers
        self._patience = patience
        self._on_reply = on_reply
        self._ares: Ares | None = None
        self._answers = 0
        self._in_flight: dict[Question, InFlight] = {}
        # The time of asking, the oldest first. Not a dict: see ``_protocol.jobs.Pending``.
        self._asked: OrderedDict[Question, float] = OrderedDict()
        self._waiting: deque[Question] = deque()

    def __len__(self) -> int:
        return len(self._in_flight)

    def reread_servers(self) -> None:
        """Read resolv.conf again with the next question."""
        self._ares = None  # questions in flight keep the old channels

    def reply(self, question: Question, until: float) -> "asyncio.Future[Reply] | None":
        """Return a future for the reply, or None if there are too many questions.

        All callers that ask the same question share the future: a caller that stops waiting, at
        ``until``, must not cancel it.
        """
        current = self._in_flight.get(question)
        if current is None:
            if len(self._in_flight) >= WAITING:
                return None
            import asyncio  # noqa: PLC0415  only where there is a loop

            future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            current = self._in_flight[question] = InFlight(future, until)
            self._waiting.append(question)
            self._give_up()
            self._go_on()
        current.until = max(current.until, until)
        return current.reply

    def timed_out(self, question: Question) -> Failed:
        """Return the reply for a caller that stops waiting for ``question``."""
        asked = self._asked.get(question)
        ours = asked is None or time.monotonic() - asked < self._patience
        return Failed("no answer in time", ours)

    def _go_on(self) -> None:
        """Ask the questions that wait for their turn, as many as there is room for."""
        while self._waiting and len(self._asked) < IN_FLIGHT:
            question = self._waiting.popleft()
            current, now = self._in_flight[question], time.monotonic()
            if current.until < now:  # no caller waits for it, and other questions wait
                del self._in_flight[question]
                current.reply.set_result(Failed("no answer in time", ours=True))
                continue
            self._asked[question] = now
            self._ask(question, partial(self._receive, question, current.reply))

    def _ask(self, question: Question, receive: Callable[[Reply, float], None]) -> None:
        try:
            if self._ares is None:
                from opensmtpd.dns.resolver.channel import Ares  # noqa: PLC0415  only for filters that ask

                self._ares = Ares(self._servers)
            self._ares.ask(question, receive)
        except Exception as error:  # no descriptors, say
            import asyncio  # noqa: PLC0415  see above

            failed = Failed(f"no resolver: {type(error).__name__}", ours=True)
            asyncio.get_running_loop().call_soon(receive, failed, 0.0)

    def _receive(
        self, question: Question, future: "asyncio.Future[Reply]", reply: Reply, ttl: float
    ) -> None:
        current = self._in_flight.get(question)
        if current is None or current.reply is not future:
            return  # it was given up, or asked again since
        del self._in_flight[question], self._asked[question]
        with suppress(Exception):  # no memory to remember it: those who wait get it nevertheless
            self._on_reply(question, reply, ttl)
        if not future.done():
            future.set_result(reply)
        self._answers += 1
        if self._answers >= ANSWERS_MAX and self._ares is not None:
            self._answers = 0
            self._ares.forget()
        self._go_on()

    def _give_up(self) -> None:
        """End the questions that c-ares should have given up long ago."""
        overdue = time.monotonic() - LIFE
        while self._asked and (oldest := next(iter(self._asked.items())))[1] < overdue:
            question = oldest[0]
            self._receive(question, self._in_flight[question].reply, Failed("no answer"), 0)
