"""The one resolver of a process: remembers, asks nothing twice at a time, keeps to deadlines."""

import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opensmtpd.dns import cachefile
from opensmtpd.dns.cache import FAILURE_TTL, Cache, Entry
from opensmtpd.dns.questions import Absent, Failed, Found, Kind, Question, Reply
from opensmtpd.dns.servers import Server
from opensmtpd.errors import LocalError
from opensmtpd.log import log

if TYPE_CHECKING:
    import asyncio

    from opensmtpd.dns.ares import Ares

IN_FLIGHT = 10_000
"""Questions under way at most: a message's id has 16 bits."""
ABSENCE_TTL = 60.0
"""Seconds that an absence is remembered while it is not known for how long it may be."""
ZONES_MAX = 4
"""Names that are asked for the SOA of a zone, at most."""
IP6_LABELS = 34
"""Labels of the reverse name of an IPv6 address."""
UNLEARNT = 1000
"""Absences that wait for their zone's word on that, at most."""
SAVE_EVERY = 60.0
"""Seconds between two writings of the cache file."""


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
        self._flights: dict[Question, asyncio.Task[Reply]] = {}
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

    def renew(self) -> None:
        """Read resolv.conf anew with the next question."""
        self._ares = None  # questions under way have it still

    # --- questions under way --------------------------------------------------------------------

    def _flight(self, question: Question) -> "asyncio.Task[Reply] | None":
        """Return the asking of a question, by whomever it was begun; None if there is no room."""
        flight = self._flights.get(question)
        if flight is None and len(self._flights) < IN_FLIGHT:
            import asyncio  # noqa: PLC0415  only where there is a loop

            # A task of its own, so that the end of one who waits is not the end of the question.
            flight = asyncio.get_running_loop().create_task(self._fetch(question))
            self._flights[question] = flight
        return flight

    async def _fetch(self, question: Question) -> Reply:
        try:
            if self._ares is None:
                from opensmtpd.dns.ares import Ares  # noqa: PLC0415  takes longer than to start

                self._ares = Ares(self._servers)
            reply, ttl = await self._ares.ask(question)
        except Exception as error:  # no channel: no descriptors, say
            reply, ttl = Failed(f"no resolver: {type(error).__name__}"), 0.0
        finally:
            del self._flights[question]
        self._remember(question, reply, ttl)
        return reply

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
                question = self._unlearnt.popleft()
                ttl = await self._zone_ttl(question.name)
                if ttl is not None:
                    self._cache.limit(question, ttl, time.monotonic())
        finally:
            self._learning = False

    async def _zone_ttl(self, name: str) -> float | None:
        """Return the seconds that the SOA of a name's zone allows (RFC 2308 section 5)."""
        questions = [Question(zone, Kind.SOA) for zone in zones(name)]
        now = time.monotonic()
        known = (self._cache.get(question, now) for question in questions)
        reply: Reply | None = next((each for each in known if isinstance(each, Found)), None)
        for question in questions if reply is None else ():
            flight = self._flight(question)
            reply = self._cache.get(question, now) or (
                Failed("") if flight is None else await flight
            )
            if not isinstance(reply, Absent):
                break
        return float(reply.records[0]) if isinstance(reply, Found) else None

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

    def _snapshot(self) -> list[Entry]:
        ahead = time.time() - time.monotonic()
        self._cache.changed = False
        entries = self._cache.entries(time.monotonic())
        return [each._replace(expires=each.expires + ahead) for each in entries]

    def _write(self, path: str, entries: Sequence[Entry]) -> None:
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


def _landed(flight: "asyncio.Task[Reply] | None") -> Reply:
    if flight is None:
        return Failed("too many questions at a time")
    return flight.result() if flight.done() else Failed("no answer in time")


def zones(name: str) -> list[str]:
    """Return the names above a name that its zone may begin at, the most specific first.

    Few, for each may cost a question: the last ones down to two labels (a zone of fewer is a
    registry's), or the networks that IPv6 is given out in.
    """
    labels = name.split(".")
    above = [".".join(labels[at:]) for at in range(1, len(labels) - 1)]
    if len(labels) == IP6_LABELS and name.endswith(".ip6.arpa"):
        # A label for each four bits: /64, /56, /48, /32.
        return [above[32 - bits // 4 - 1] for bits in (64, 56, 48, 32)]
    return above[-ZONES_MAX:]
