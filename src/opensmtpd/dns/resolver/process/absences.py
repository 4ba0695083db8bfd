"""For how long an absence may be remembered: the SOA record of its zone says it (RFC 2308 5).

The answer has that record (RFC 2308 section 3), but pycares does not show it. The zones are asked
for one after another, in the background, so that many absences cost few questions.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from opensmtpd.dns.question import Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.cache import ABSENCE_MAX, Cache
from opensmtpd.dns.resolver.process.zone_cuts import above

UNKNOWN_TTL = 60.0
"""Seconds for which an absence is remembered until the SOA record of its zone is known."""
SOON = 5.0
"""Seconds for which those who have asked may keep it until then: later they ask again."""
UNLEARNT = 1000
"""Absences that wait for the SOA record of their zone, at most."""


class Absences:
    """Sets the expiry of absences in a cache. ``ask`` asks a name server, and remembers."""

    def __init__(self, cache: Cache, ask: Callable[[Question], "asyncio.Future[Reply]"]) -> None:
        self._cache = cache
        self._ask = ask
        # Not a dict: see ``_protocol.jobs.Pending``.
        self._unlearnt: OrderedDict[Question, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def __contains__(self, question: Question) -> bool:
        """Return whether the zone of an absence is still to be learnt."""
        return question in self._unlearnt

    def learn(self, question: Question) -> None:
        """Find out, in the background, for how long the absence may be remembered."""
        if question.kind is RecordType.SOA or len(self._unlearnt) >= UNLEARNT:
            return
        self._unlearnt[question] = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._learn_all())

    async def _learn_all(self) -> None:
        try:
            while self._unlearnt:
                question = next(iter(self._unlearnt))
                try:
                    await self._learn_zone(question)
                finally:
                    del self._unlearnt[question]
        finally:
            self._task = None

    async def _learn_zone(self, question: Question) -> None:
        ttl, learnt = None, [question]
        zones, closest_first = above(question.name)
        for zone in zones:
            soa = Question(zone, RecordType.SOA)
            reply = self._cache.get(soa, time.monotonic())
            if reply is None:
                learnt.append(soa)  # mostly an absence, too
                reply = await self._ask(soa)
            if isinstance(reply, Failed):
                return
            if isinstance(reply, Found):
                ttl = min(float(reply.records[0]), ABSENCE_MAX)
            if isinstance(reply, Found) == closest_first:
                break
        for each in learnt if ttl is not None else ():
            self._cache.limit(each, ttl or 0.0, time.monotonic())
