"""Questions under way: none twice at a time, not too many at once, none for ever."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from opensmtpd.dns.questions import Failed, Question, Reply
from opensmtpd.dns.servers import Server

if TYPE_CHECKING:
    import asyncio

    from opensmtpd.dns.ares import Ares

IN_FLIGHT = 10_000
"""Questions at a time that name servers are asked: the id of a message has 16 bits."""
WAITING = 100_000
"""Questions at most, with those that wait for their turn."""
LIFE = 30.0
"""Seconds after which a question is given up: c-ares should have done so."""
PATIENCE = 2.0
"""Seconds for which a name server may think without being to blame, at most."""
ANSWERS_MAX = 50
"""Answers that c-ares may have in a memory of its own."""


class Flight:
    """A question under way."""

    __slots__ = ("reply", "until")

    def __init__(self, reply: "asyncio.Future[Reply]", until: float) -> None:
        self.reply = reply
        self.until = until
        """When the last of those who wait for it leaves."""


class Flights:
    """Asks through one channel of c-ares, made with the first question."""

    def __init__(
        self,
        servers: Sequence[Server],
        landed: Callable[[Question, Reply, float], None],
        patience: float,
    ) -> None:
        """``landed`` is called with every reply and its TTL, before those who wait for it."""
        self._servers = servers
        self._patience = patience
        self._landed = landed
        self._ares: Ares | None = None
        self._answers = 0
        self._flights: dict[Question, Flight] = {}
        self._asked: dict[Question, float] = {}  # and when; the oldest first
        self._waiting: deque[Question] = deque()

    def __len__(self) -> int:
        return len(self._flights)

    def renew(self) -> None:
        """Read resolv.conf anew with the next question."""
        self._ares = None  # questions under way have it still

    def reply(self, question: Question, until: float) -> "asyncio.Future[Reply] | None":
        """Return the reply to come, whoever asked first; None if there is no room.

        It is nobody's own: the end of one who waits, at ``until``, is not the end of the question.
        """
        flight = self._flights.get(question)
        if flight is None:
            if len(self._flights) >= WAITING:
                return None
            import asyncio  # noqa: PLC0415  only where there is a loop

            future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            flight = self._flights[question] = Flight(future, until)
            self._waiting.append(question)
            self._give_up()
            self._go_on()
        flight.until = max(flight.until, until)
        return flight.reply

    def late(self, question: Question) -> Failed:
        """Return what to say to one who waits no longer."""
        asked = self._asked.get(question)
        ours = asked is None or time.monotonic() - asked < self._patience
        return Failed("no answer in time", ours)

    def _go_on(self) -> None:
        """Ask what has waited, as many as may be."""
        while self._waiting and len(self._asked) < IN_FLIGHT:
            question = self._waiting.popleft()
            flight, now = self._flights[question], time.monotonic()
            if flight.until < now:  # all have left, and others wait
                del self._flights[question]
                flight.reply.set_result(Failed("no answer in time", ours=True))
                continue
            self._asked[question] = now
            self._ask(question, partial(self._land, question, flight.reply))

    def _ask(self, question: Question, land: Callable[[Reply, float], None]) -> None:
        try:
            if self._ares is None:
                from opensmtpd.dns.ares import Ares  # noqa: PLC0415  not for who asks nothing

                self._ares = Ares(self._servers)
            self._ares.ask(question, land)
        except Exception as error:  # no descriptors, say
            import asyncio  # noqa: PLC0415  see above

            failed = Failed(f"no resolver: {type(error).__name__}", ours=True)
            asyncio.get_running_loop().call_soon(land, failed, 0.0)

    def _land(
        self, question: Question, flight: "asyncio.Future[Reply]", reply: Reply, ttl: float
    ) -> None:
        current = self._flights.get(question)
        if current is None or current.reply is not flight:
            return  # it was given up, or asked anew since
        del self._flights[question], self._asked[question]
        self._landed(question, reply, ttl)
        if not flight.done():
            flight.set_result(reply)
        self._answers += 1
        if self._answers >= ANSWERS_MAX and self._ares is not None:
            self._answers = 0
            self._ares.forget()
        self._go_on()

    def _give_up(self) -> None:
        """End the questions that c-ares should long have given up."""
        late = time.monotonic() - LIFE
        while self._asked and (oldest := next(iter(self._asked.items())))[1] < late:
            question = oldest[0]
            self._land(question, self._flights[question].reply, Failed("no answer"), 0)
