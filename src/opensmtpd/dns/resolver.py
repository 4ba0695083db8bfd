"""The one resolver of a process: remembers, asks nothing twice at a time, keeps to deadlines."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from opensmtpd.dns import cachefile
from opensmtpd.dns.cache import FAILURE_TTL, Cache, Entry
from opensmtpd.dns.questions import Absent, Failed, Found, Kind, Question, Reply
from opensmtpd.dns.servers import Server
from opensmtpd.dns.zones import above
from opensmtpd.errors import LocalError
from opensmtpd.log import log

if TYPE_CHECKING:
    import asyncio

    from opensmtpd.dns.ares import Ares

IN_FLIGHT = 10_000
"""Questions under way at most: a message's id has 16 bits."""
ABSENCE_TTL = 60.0
"""Seconds that an absence is remembered while it is not known for how long it may be."""
ANSWERS_MAX = 50
"""Answers that c-ares may have in a memory of its own."""
UNLEARNT = 1000
"""Absences that wait for their zone's word on that, at most."""
LIFE = 30.0
"""Seconds after which a question is given up: c-ares should have done so."""
SAVE_EVERY = 60.0
"""Seconds between two writings of the cache file."""


class Flight(NamedTuple):
    """A question under way."""

    reply: "asyncio.Future[Reply]"
    since: float


class Resolver:
    """Replies from the cache or from name servers.

    Nothing is opened or imported before the first question, and all in the loop that runs then.
    """

    def __init__(self, servers: Sequence[Server] = (), cache_path: str | None = None) -> None:
        """``servers`` empty: those of resolv.conf. ``cache_path`` is read now; see ``save``."""
        self._servers = servers
        self._path = cache_path
        self._cache = Cache()
        self._ares: Ares | None = None
        self._answers = 0
        self._flights: dict[Question, Flight] = {}  # the oldest first
        self._unlearnt: deque[Question] = deque(maxlen=UNLEARNT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._learning = False
        self._saving = False
        self._unwritable = ""
        if cache_path is not None:
            self._load(cache_path)

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
        """Return all replies, in order, by ``until`` on the loop's clock."""
        import asyncio  # noqa: PLC0415  only where there is a loop

        now = time.monotonic()
        replies = {question: self._cache.get(question, now) for question in questions}
        flights = {
            question: self._flight(question) for question, reply in replies.items() if reply is None
        }
        waiting = {flight for flight in flights.values() if flight is not None}
        if waiting:
            left = until - asyncio.get_running_loop().time()
            await asyncio.wait(waiting, timeout=max(0.0, left))
        return [
            _landed(flights[question]) if reply is None else reply
            for question, reply in ((question, replies[question]) for question in questions)
        ]

    def _channel(self) -> "Ares":
        if self._ares is None:
            from opensmtpd.dns.ares import Ares  # noqa: PLC0415  see above

            self._ares = Ares(self._servers)
        return self._ares

    def renew(self) -> None:
        """Read resolv.conf anew with the next question."""
        self._ares = None  # questions under way have it still

    # --- questions under way --------------------------------------------------------------------

    def _flight(self, question: Question) -> "asyncio.Future[Reply] | None":
        """Return the asking of a question, by whomever it was begun; None if there is no room."""
        flight = self._flights.get(question)
        if flight is not None:
            return flight.reply
        import asyncio  # noqa: PLC0415  only where there is a loop

        self._give_up()
        if len(self._flights) >= IN_FLIGHT:
            return None
        # A future of its own, so that the end of one who waits is not the end of the question.
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._flights[question] = Flight(reply, time.monotonic())
        land = partial(self._land, question, reply)
        try:
            channel = self._channel()
        except Exception as error:  # no descriptors, say
            land(Failed(f"no resolver: {type(error).__name__}"), 0)
        else:
            channel.ask(question, land)
        return reply

    def _land(
        self, question: Question, flight: "asyncio.Future[Reply]", reply: Reply, ttl: float
    ) -> None:
        if flight.done():
            return
        del self._flights[question]
        self._remember(question, reply, ttl)
        flight.set_result(reply)
        self._answers += 1
        if self._answers >= ANSWERS_MAX and self._ares is not None:
            self._answers = 0
            self._ares.forget()

    def _give_up(self) -> None:
        """End the questions that c-ares should long have given up."""
        late = time.monotonic() - LIFE
        while self._flights and (oldest := next(iter(self._flights.items())))[1].since < late:
            question, flight = oldest
            self._land(question, flight.reply, Failed("no answer"), 0)

    def _remember(self, question: Question, reply: Reply, ttl: float) -> None:
        if isinstance(reply, Failed):
            ttl = FAILURE_TTL
        elif isinstance(reply, Absent):
            ttl = ABSENCE_TTL
            self._learn(question)
        self._cache.put(question, reply, ttl, time.monotonic())
        self._save_later()

    # --- for how long an absence may be remembered ------------------------------------------------

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
                flight = self._flight(soa)
                reply = Failed("") if flight is None else await flight
            if isinstance(reply, Failed):
                return
            if isinstance(reply, Found):
                ttl = float(reply.records[0])
            if isinstance(reply, Found) == closest_first:
                break
        for each in learnt if ttl is not None else ():
            self._cache.limit(each, ttl or 0.0, time.monotonic())

    # --- the cache file ---------------------------------------------------------------------------

    def _load(self, path: str) -> None:
        ahead = time.time() - time.monotonic()
        try:
            entries = cachefile.load(path)
        except LocalError as error:
            log("dns-cache-ignored", file=path, reason=error)
            return
        shifted = (each._replace(expires=each.expires - ahead) for each in entries)
        self._cache.restore(shifted, time.monotonic())

    def save(self) -> None:
        """Write the cache file, if there is one and it is not up to date."""
        if self._path is not None and self._cache.changed:
            self._write(self._path, self._snapshot())

    def _snapshot(self) -> Iterator[Entry]:
        ahead = time.time() - time.monotonic()
        self._cache.changed = False
        entries = self._cache.entries(time.monotonic())
        return (each._replace(expires=each.expires + ahead) for each in entries)

    def _write(self, path: str, entries: Iterable[Entry]) -> None:
        try:
            cachefile.save(path, entries)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            if reason != self._unwritable:
                log("dns-cache-not-written", file=path, reason=reason)
            self._unwritable = reason
        else:
            self._unwritable = ""

    def _save_later(self) -> None:
        if self._path is not None and self._cache.changed and not self._saving:
            self._saving = True
            self._start(self._save_after(SAVE_EVERY, self._path))

    async def _save_after(self, seconds: float, path: str) -> None:
        import asyncio  # noqa: PLC0415  only where there is a loop

        await asyncio.sleep(seconds)
        self._saving = False
        await asyncio.to_thread(self._write, path, self._snapshot())

    def _start(self, job: Any) -> None:
        import asyncio  # noqa: PLC0415  only where there is a loop

        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _landed(flight: "asyncio.Future[Reply] | None") -> Reply:
    if flight is None:
        return Failed("too many questions at a time")
    return flight.result() if flight.done() else Failed("no answer in time")
