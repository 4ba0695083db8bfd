"""The one resolver of a process: remembers, asks nothing twice at a time, keeps to deadlines."""

import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from opensmtpd.dns.cache import ABSENCE_MAX, FAILURE_TTL, Cache
from opensmtpd.dns.flights import LIFE, PATIENCE, Flights
from opensmtpd.dns.keeper import Keeper
from opensmtpd.dns.questions import Absent, Failed, Found, Kind, Question, Reply
from opensmtpd.dns.servers import Server
from opensmtpd.dns.zones import above

if TYPE_CHECKING:
    import asyncio

ABSENCE_TTL = 60.0
"""Seconds that an absence is remembered while it is not known for how long it may be."""
UNLEARNT = 1000
"""Absences that wait for their zone's word on that, at most."""
FULL = Failed("too many questions at a time", ours=True)


class Resolver:
    """Replies from the cache or from name servers.

    Nothing is opened or imported before the first question, and all in the loop that runs then.
    """

    def __init__(
        self,
        servers: Sequence[Server] = (),
        cache_path: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """``servers`` empty: those of resolv.conf. ``cache_path`` is read now; see ``save``.

        ``patience`` is for how many seconds a name server may think without being to blame.
        """
        self._cache = Cache()
        self._keeper = None if cache_path is None else Keeper(cache_path, self._cache)
        self._flights = Flights(servers, self._remember, patience)
        self._unlearnt: deque[Question] = deque(maxlen=UNLEARNT)
        self._learning = False
        self._tasks: set[asyncio.Task[None]] = set()

    # --- Dns ------------------------------------------------------------------------------------

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        """Return all replies if all of them are remembered."""
        now = time.monotonic()
        replies = []
        for question in questions:
            reply = self._cache.get(question, now)
            if reply is None:
                return None
            replies.append(reply)
        return replies

    async def ask(self, questions: Sequence[Question], until: float) -> list[Reply]:
        """Return all replies, in order, by ``until`` on the loop's clock, which is monotonic."""
        import asyncio  # noqa: PLC0415  only where there is a loop

        now = time.monotonic()
        replies: dict[Question, Reply] = {}
        waits: dict[Question, asyncio.Future[Reply]] = {}
        for question in questions:
            reply = self._cache.get(question, now)
            flight = self._flights.reply(question, until) if reply is None else None
            if flight is None:
                replies[question] = FULL if reply is None else reply
            else:
                waits[question] = flight
        if waits:
            left = until - asyncio.get_running_loop().time()
            await asyncio.wait(set(waits.values()), timeout=left)
        for question, flight in waits.items():
            replies[question] = flight.result() if flight.done() else self._flights.late(question)
        return [replies[question] for question in questions]

    def renew(self) -> None:
        """Read resolv.conf anew with the next question."""
        self._flights.renew()

    def save(self) -> None:
        """Write the cache file, if there is one and it is not up to date."""
        if self._keeper is not None:
            self._keeper.save()

    # --- what is remembered -----------------------------------------------------------------------

    def _remember(self, question: Question, reply: Reply, ttl: float) -> None:
        reply.landed = time.monotonic()
        if isinstance(reply, Failed):
            ttl = FAILURE_TTL
        elif isinstance(reply, Absent):
            ttl = ABSENCE_TTL
            self._learn(question)
        self._cache.put(question, reply, ttl, time.monotonic())
        if self._keeper is not None and self._keeper.wants_to_save:
            self._start(self._keeper.save_soon())

    def _learn(self, question: Question) -> None:
        """Have the zone's SOA asked for: pycares does not show the one that came with the absence.

        One zone at a time, in the background, so that many absences are few questions more.
        """
        if question.kind is Kind.SOA:
            return
        self._unlearnt.append(question)
        if not self._learning:
            self._learning = True
            self._start(self._learn_all())

    async def _learn_all(self) -> None:
        try:
            while self._unlearnt:
                await self._learn_zone(self._unlearnt.popleft())
        finally:
            self._learning = False

    async def _learn_zone(self, question: Question) -> None:
        """Have an absence end when the SOA of its zone says so (RFC 2308 section 5)."""
        ttl, learnt = None, [question]
        zones, closest_first = above(question.name)
        for zone in zones:
            soa = Question(zone, Kind.SOA)
            reply = self._cache.get(soa, time.monotonic())
            if reply is None:
                learnt.append(soa)  # mostly an absence, too
                flight = self._flights.reply(soa, time.monotonic() + LIFE)
                reply = FULL if flight is None else await flight
            if isinstance(reply, Failed):
                return
            if isinstance(reply, Found):
                ttl = min(float(reply.records[0]), ABSENCE_MAX)
            if isinstance(reply, Found) == closest_first:
                break
        for each in learnt if ttl is not None else ():
            self._cache.limit(each, ttl or 0.0, time.monotonic())

    def _start(self, job: Coroutine[Any, Any, None]) -> None:
        import asyncio  # noqa: PLC0415  only where there is a loop

        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
