"""The service of the resolver's process: ask name servers, remember, keep the cache file."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from opensmtpd.dns.names import is_wire_name
from opensmtpd.dns.question import Absent, Failed, Question, RecordType, Reply
from opensmtpd.dns.resolver.cache import FAILURE_TTL, Cache, CacheEntry, size_of
from opensmtpd.dns.resolver.orders import ALIVE, ASK, KEPT, REREAD, SAVE
from opensmtpd.dns.resolver.process.absences import SOON, UNKNOWN_TTL, Absences
from opensmtpd.dns.resolver.process.cache_saver import CacheSaver
from opensmtpd.dns.resolver.process.channel import Done
from opensmtpd.dns.resolver.process.name_servers import NameServers
from opensmtpd.dns.resolver.replies import packed
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.worker import Link

KEPT_ROWS = 100
"""Entries of the cache file in one reply, at most."""
KEPT_SIZE = 128 * 1024
"""Their size: a frame has 1 MiB, at most, and each of these characters may be two bytes there."""

TURN = 100
"""Requests that are obeyed in one turn of the loop: name servers are listened to in between."""


class Service:
    """Answers the front on the asyncio loop that runs, until the front is gone."""

    def __init__(
        self, link: Link, servers: Sequence[ServerAddress], cache_path: str | None
    ) -> None:
        self._link = link
        self._cache = Cache()
        self._saver = None if cache_path is None else CacheSaver(cache_path, self._cache)
        self._name_servers = NameServers(servers)
        self._absences = Absences(self._cache, self._ask_zone)
        self._kept: Sequence[Sequence[CacheEntry]] = ()
        self._requests: deque[tuple[int, Any]] = deque()
        self._flushing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve. Raises EOFError when the front is gone."""
        asyncio.get_running_loop().add_reader(self._link.fileno(), self._receive)
        await self._end

    # --- the front ------------------------------------------------------------------------------

    def _receive(self) -> None:
        try:
            for number, request in self._link.receive():
                if request == [ALIVE]:  # whatever waits: many questions are not to look like a stop
                    self._take(number, request)
                    self._flush_soon()
                    continue
                if not self._requests:
                    asyncio.get_running_loop().call_soon(self._take_some)
                self._requests.append((number, request))
        except Exception as error:
            self._stop(error)

    def _take_some(self) -> None:
        try:
            for _ in range(min(TURN, len(self._requests))):
                self._take(*self._requests.popleft())
            if self._requests:
                asyncio.get_running_loop().call_soon(self._take_some)
            self._flush_soon()
        except Exception as error:
            self._stop(error)

    def _take(self, number: int, request: Any) -> None:
        try:
            self._obey(number, *request)
        except Exception as error:
            self._link.fail(number, error)

    def _stop(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_exception(error)

    def _obey(self, number: int, order: int, *arguments: Any) -> None:
        if order == ASK:
            self._answer(number, *arguments)
            return
        reply: object = True
        if order == ALIVE:
            self._name_servers.give_up()
        elif order == REREAD:
            self._name_servers.reread()
        elif order == SAVE and self._saver is not None:
            self._saver.save()
        elif order == KEPT:
            reply = self._part(*arguments)
        self._link.reply(number, reply)

    def _flush_soon(self) -> None:
        """Send the replies of this turn of the loop together."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        with suppress(OSError):  # the front is gone, and reading tells it
            self._link.flush()

    # --- questions ------------------------------------------------------------------------------

    def _answer(self, number: int, name: str, kind: str) -> None:
        """Answer a question, at once where the reply is remembered."""
        question = Question(name, RecordType(kind))
        if not is_wire_name(name):
            raise ValueError
        entry = self._cache.entry(question, time.monotonic())
        if entry is not None:
            self._reply(number, question, entry.reply)
        else:
            self._ask(question, lambda reply, _: self._reply(number, question, reply))

    def _reply(self, number: int, question: Question, reply: Reply) -> None:
        now = time.monotonic()
        entry = self._cache.entry(question, now)
        left = 0.0 if entry is None else entry.expires - now
        if question in self._absences:
            left = min(left, SOON)
        self._link.reply(number, packed(reply, left, now))
        self._flush_soon()

    def _ask(self, question: Question, done: Done) -> None:
        """Ask name servers, remember the reply, and call ``done`` with it."""
        self._name_servers.ask(question, partial(self._remember, question, done))

    def _ask_zone(self, question: Question) -> "asyncio.Future[Reply]":
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(reply: Reply, _: float) -> None:
            if not future.done():
                future.set_result(reply)

        self._ask(question, done)
        return future

    def _remember(self, question: Question, done: Done, reply: Reply, ttl: float) -> None:
        reply.received_at = now = time.monotonic()
        with suppress(Exception):  # no memory to remember it: it is a reply nevertheless
            if isinstance(reply, Failed):
                ttl = FAILURE_TTL
            elif isinstance(reply, Absent):
                ttl = UNKNOWN_TTL
                self._absences.learn(question)
            self._cache.put(question, reply, ttl, now)
            if self._saver is not None and self._saver.wants_to_save:
                self._start(self._saver.save_soon())
        done(reply, ttl)

    def _start(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- the cache file ---------------------------------------------------------------------------

    def _part(self, number: int) -> list[list[Any]]:
        """Return a part of what the file had, for the front's own memory."""
        now = time.monotonic()
        if number == 0:
            self._kept = list(_parts(self._cache.entries(now)))
        return [
            [question.name, question.kind.value, *packed(reply, max(0.0, expires - now), now)]
            for question, reply, expires in (self._kept[number] if number < len(self._kept) else ())
        ]


def _parts(entries: Iterable[CacheEntry]) -> Iterator[list[CacheEntry]]:
    """Yield the entries in parts, each for one reply."""
    part, room = list[CacheEntry](), KEPT_SIZE
    for entry in entries:
        size = size_of(entry)
        if part and (len(part) >= KEPT_ROWS or size > room):
            yield part
            part, room = [], KEPT_SIZE
        part.append(entry)
        room -= size
    if part:
        yield part
