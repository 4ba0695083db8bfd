"""aiodns whose sockets the asyncio loop watches: no thread of c-ares, whatever the version.

aiodns 4 has c-ares run in a thread, which wakes the loop for each answer: that took half of the
time of a question. It watches sockets where no thread can be had, and aiodns 3 always does.

Its futures took a fifth of the rest, so questions are asked without them.
"""

import select
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import aiodns
import pycares

TICK = 0.1
"""Seconds between two looks at what is late, while there is a socket. aiodns has a second.

The least time that c-ares waits for a name server is a quarter of a second.
"""
_NONE = pycares.ARES_SOCKET_BAD

Ended: TypeAlias = Callable[[Any, int | None], object]
"""Called with an answer as pycares has it, or with None and the error of c-ares."""


class WatchedResolver(aiodns.DNSResolver):
    """A channel of c-ares. Make it in a running loop.

    A version of aiodns that calls neither of these methods works as well, in its own way.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of aiodns. Raises what pycares raises."""
        self._reads: set[int] = set()
        self._writes: set[int] = set()
        self._ticks = False
        self._ends: deque[tuple[Ended, Any, int | None]] = deque()
        """The ends of questions that the loop is about to tell."""
        self._tells = False
        """True while the loop is to call ``_tell``."""
        super().__init__(**options)

    def ask(self, name: str, kind: int, ended: Ended) -> None:
        """Ask, and have the loop call ``ended`` once. Raises what is no error of c-ares.

        ``kind`` is the number of a type of records. See ``query_dns`` and ``query`` of aiodns 4 and
        3, which do the same with a future.
        """
        query = _Query(self, ended)
        try:
            self._channel.query(name, kind, callback=query)
        except pycares.AresError as error:  # c-ares may have called it before
            query(None, error.args[0])

    def _end(self, ended: Ended, answer: Any, code: int | None) -> None:
        """Have the loop tell an end: c-ares calls this within its own work, which is not to be
        begun again there.
        """
        self._ends.append((ended, answer, code))
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._tells:
            return
        if getattr(self, "_event_thread", False):  # of a version that did not ask ``_make_channel``
            self.loop.call_soon_threadsafe(self._tell)
        else:
            self.loop.call_soon(self._tell)
        self._tells = True  # last: for want of memory it may have failed, and is tried again

    def _tell(self) -> None:
        self._tells = False
        try:
            for _ in range(len(self._ends)):
                ended, answer, code = self._ends.popleft()
                ended(answer, code)
        finally:  # the loop logs what one of them has raised, and the others have their ends
            if self._ends:
                self._tell_soon()

    def _make_channel(self, **options: Any) -> tuple[bool, pycares.Channel]:
        """Return False, for no thread, and the channel: aiodns 3.3 and later."""
        this = weakref.ref(self)  # the channel keeps the function, and we keep the channel

        def watch(fd: int, readable: bool, writable: bool) -> None:
            resolver = this()
            if resolver is not None:  # else c-ares has no socket: it has one for questions only
                resolver._sock_state_cb(fd, readable, writable)

        return False, pycares.Channel(sock_state_cb=watch, timeout=self._timeout, **options)

    def _sock_state_cb(self, fd: int, readable: bool, writable: bool) -> None:
        """Watch a socket, or watch it no more: called by c-ares, in aiodns 3, too.

        That of aiodns goes on to watch whether a socket takes bytes when c-ares has none for it.
        """
        if readable:
            self._reads.add(fd)
            self.loop.add_reader(fd, self._channel.process_fd, fd, _NONE)
        elif fd in self._reads:
            self._reads.discard(fd)
            self.loop.remove_reader(fd)
        if writable:
            self._writes.add(fd)
            self.loop.add_writer(fd, self._channel.process_fd, _NONE, fd)
        elif fd in self._writes:
            self._writes.discard(fd)
            self.loop.remove_writer(fd)
        if not self._ticks and (self._reads or self._writes):
            self._ticks = True
            self.loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        """Have c-ares look at what is late."""
        self._ticks = bool(self._reads or self._writes)
        if self._ticks:
            self.loop.call_later(TICK, self._tick)
            if self._ends:  # for want of memory, perhaps, the loop was not told to
                self._tell_soon()
            # What has come on a socket is read before anything counts as late, however late this
            # loop is; with several sockets, c-ares looks at the time behind each.
            for fd in (*_readable(self._reads), _NONE):
                self._channel.process_fd(fd, _NONE)


class _Query:
    """A question that c-ares has: it is called at the end of it, once or, where it fails, twice."""

    __slots__ = ("_ended", "_resolver")

    def __init__(self, resolver: WatchedResolver, ended: Ended) -> None:
        self._resolver = resolver
        self._ended: Ended | None = ended

    def __call__(self, answer: Any, code: int | None) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            self._resolver._end(ended, answer, code)


def _readable(fds: Iterable[int]) -> list[int]:
    """Return those of some descriptors that have something to read."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(0)]
