"""The resolver of a process: it remembers replies, shares questions and keeps deadlines."""

import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from opensmtpd.dns.question import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.cache import ABSENCE_MAX, FAILURE_TTL, Cache
from opensmtpd.dns.resolver.cache_saver import CacheSaver
from opensmtpd.dns.resolver.inflight import LIFE, InFlightQuestions
from opensmtpd.dns.resolver.zone_cuts import above
from opensmtpd.dns.servers import PATIENCE, ServerAddress

if TYPE_CHECKING:
    import asyncio

ABSENCE_TTL = 60.0
"""Seconds for which an absence is remembered until the SOA record of its zone is known."""
UNLEARNT = 1000
"""Absences that wait for the SOA record of their zone, at most."""
FULL = Failed("too many questions at a time", ours=True)


class Resolver:
    """Replies from the cache or from name servers.

    Before the first question it opens and imports nothing; everything belongs to the loop that runs
    then. A process needs one resolver.
    """

    def __init__(
        self,
        servers: Sequence[ServerAddress] = (),
        cache_path: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Ask ``servers``; an empty sequence stands for those of resolv.conf.

        The cache is filled from the file at ``cache_path`` now; see ``save``. ``patience`` is the
        least number of seconds after which a timeout is the name server's failure.
        """
        self._cache = Cache()
        self._saver = None if cache_path is None else CacheSaver(cache_path, self._cache)
        self._in_flight = InFlightQuestions(servers, self._remember, patience)
        self._unlearnt: deque[Question] = deque(maxlen=UNLEARNT)
        self._learning = False
        self._tasks: set[asyncio.Task[None]] = set()

    # --- Dns ------------------------------------------------------------------------------------

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        """Return all replies if all of them are remembered, else None."""
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
            future = self._in_flight.reply(question, until) if reply is None else None
            if future is None:
                replies[question] = FULL if reply is None else reply
            else:
                waits[question] = future
        if waits:
            left = until - asyncio.get_running_loop().time()
            await asyncio.wait(set(waits.values()), timeout=left)
        for question, future in waits.items():
            answered = future.done()
            replies[question] = future.result() if answered else self._in_flight.timed_out(question)
        return [replies[question] for question in questions]

    def reread_servers(self) -> None:
        """Read resolv.conf again with the next question."""
        self._in_flight.reread_servers()

    def save(self) -> None:
        """Write the cache file, if there is one and there are changes."""
        if self._saver is not None:
            self._saver.save()

    # --- remembering replies ----------------------------------------------------------------------

    def _remember(self, question: Question, reply: Reply, ttl: float) -> None:
        reply.received_at = time.monotonic()
        if isinstance(reply, Failed):
            ttl = FAILURE_TTL
        elif isinstance(reply, Absent):
            ttl = ABSENCE_TTL
            self._learn(question)
        self._cache.put(question, reply, ttl, time.monotonic())
        if self._saver is not None and self._saver.wants_to_save:
            self._start(self._saver.save_soon())

    def _learn(self, question: Question) -> None:
        """Ask for the SOA record of the zone, which says how long the absence may be remembered.

        The answer has that record (RFC 2308 section 3), but pycares does not show it. The zones are
        asked for one after another, in the background, so that many absences cost few questions.
        """
        if question.kind is RecordType.SOA:
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
        """Set the expiry of an absence by the SOA record of its zone (RFC 2308 section 5)."""
        ttl, learnt = None, [question]
        zones, closest_first = above(question.name)
        for zone in zones:
            soa = Question(zone, RecordType.SOA)
            reply = self._cache.get(soa, time.monotonic())
            if reply is None:
                learnt.append(soa)  # mostly an absence, too
                future = self._in_flight.reply(soa, time.monotonic() + LIFE)
                reply = FULL if future is None else await future
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
