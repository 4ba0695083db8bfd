"""Several servers, of which the first that answers is asked.

While another one stands in for it, it is tried again every few seconds, and returned to. The C
program stays with its slave for as long as that lives.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.resp import RespReply
from opensmtpd.errors import ServerLate, ServerLost
from opensmtpd.log import log

PAUSE, PAUSE_MAX = 0.5, 4.0
"""Seconds until a server that failed is tried again while another answers: at first, at most."""
SHARE, TRIAL = 0.5, 0.25
"""The parts of a question's time that a server may cost where there are others, and a trial."""


class _Server:
    """A server, and the time until which it is not tried."""

    def __init__(self, link: RedisLink) -> None:
        self.link = link
        self.rests_until = self._pause = 0.0
        self.has_answered = False
        """Since it was connected to."""

    def fails(self, now: float) -> None:
        self._pause = min(PAUSE_MAX, self._pause * 2 or PAUSE)
        self.rests_until = now + self._pause
        self.link.close()

    def answers(self) -> None:
        self.rests_until = self._pause = 0.0
        self.has_answered = True


class Servers:
    """Links to servers, the best first. ``until`` is a time of ``clock``."""

    def __init__(
        self, links: Sequence[RedisLink], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._all = [_Server(link) for link in links]
        self._clock = clock
        self._used = self._told = self._all[0]

    def open(self, until: float) -> None:
        """Connect to the first server that can be reached. Raises ServerLost, ServerLate."""
        servers = self._awake() or self._all
        for server in servers[:-1]:
            with suppress(ServerLost, ServerLate):
                self._open(server, self._part(SHARE, until))
                return
        self._open(servers[-1], until)

    def _awake(self) -> list[_Server]:
        now = self._clock()
        return [server for server in self._all if server.rests_until <= now]

    def _part(self, part: float, until: float) -> float:
        now = self._clock()
        return now + (until - now) * part

    def _open(self, server: _Server, until: float) -> None:
        try:
            server.link.open(until)
        except (ServerLost, ServerLate) as error:
            server.fails(self._clock())
            raise type(error)(f"{server.link.place.name}: {error}") from None
        server.has_answered = False
        self._used = server

    def exchange(self, data: bytes, count: int, until: float) -> list[RespReply]:
        """Send packed commands, and return their replies, as ``RedisLink.exchange``.

        A server that is late, or lost before it has answered anything, is followed by the next.
        """
        if len(self._all) == 1:
            return self._used.link.exchange(data, count, until)
        self._return(until)
        server = self._used
        others = [each for each in self._awake() if each is not server]
        try:
            limit = self._part(SHARE, until) if others else until
            replies = server.link.exchange(data, count, limit)
        except (ServerLost, ServerLate) as error:
            if isinstance(error, ServerLost) and server.has_answered:
                raise  # the next connection may well be better
            server.fails(self._clock())
            if not others:
                raise
            self.open(until)
            return self.exchange(data, count, until)
        server.answers()
        self._tell(server)
        return replies

    def _return(self, until: float) -> None:
        """Turn back to a better server than the one that is used, where one can be reached."""
        old = self._used
        for server in self._awake() if old is not self._all[0] else ():
            if server is old:
                return
            with suppress(ServerLost, ServerLate):
                self._open(server, self._part(TRIAL, until))
                old.link.close()
                return

    def _tell(self, server: _Server) -> None:
        if server is not self._told:
            log("server-used", server=server.link.place.name)
            self._told = server

    def close(self) -> None:
        """Close all links. Never raises."""
        for server in self._all:
            server.link.close()
