"""The questions that name servers are asked: their number and time are bounded.

This is the resolver's process; equal questions are shared before they come here.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from opensmtpd.dns.names import is_query_name
from opensmtpd.dns.question import Failed, Question, Reply
from opensmtpd.dns.resolver.process.channel import Ares, Done
from opensmtpd.dns.resolver.process.direct import Direct
from opensmtpd.dns.servers import ServerAddress

ASKED_MAX = 11_000
"""Questions at a time, at most: those of the front, and a few about zones."""
LIFE = 30.0
"""Seconds after which a question is given up: c-ares should have done so before."""
ANSWERS_MAX = 50
"""Answers after which c-ares is made to drop the ones that it keeps."""
CROWDED = Failed("too many questions at a time", ours=True)


class NameServers:
    """Asks through the channels of c-ares, which are made with the first question.

    It asks ``Direct`` about the names that c-ares refuses.
    """

    def __init__(self, servers: Sequence[ServerAddress]) -> None:
        """Ask ``servers``; an empty sequence stands for those of resolv.conf."""
        self._servers = servers
        self._ares: Ares | None = None
        self._direct = Direct(servers)
        self._answers = 0
        self._numbers = 0
        # The oldest first. Not a dict: see ``_protocol.jobs.Pending``.
        self._asked: OrderedDict[int, tuple[float, Done]] = OrderedDict()
        """The time of asking, and what to call with the reply."""

    def __len__(self) -> int:
        return len(self._asked)

    def reread(self) -> None:
        """Read resolv.conf again with the next question."""
        self._ares = None  # questions in flight keep the old channels
        self._direct.reread()

    def ask(self, question: Question, done: Done) -> None:
        """Ask, and call ``done`` once, with the reply and its TTL in seconds."""
        loop = asyncio.get_running_loop()
        if len(self._asked) >= ASKED_MAX:
            loop.call_soon(done, CROWDED, 0.0)
            return
        self._numbers += 1
        number = self._numbers
        self._asked[number] = time.monotonic(), done
        try:
            self._give(question, partial(self._receive, number))
        except Exception as error:  # no descriptors, say
            failed = Failed(f"no resolver: {type(error).__name__}", ours=True)
            loop.call_soon(self._receive, number, failed, 0.0)

    def _give(self, question: Question, done: Done) -> None:
        if not is_query_name(question.name):
            self._direct.ask(question, done)
            return
        if self._ares is None:
            self._ares = Ares(self._servers)
        self._ares.ask(question, done)

    def _receive(self, number: int, reply: Reply, ttl: float) -> None:
        asked = self._asked.pop(number, None)
        if asked is None:
            return  # it was given up
        asked[1](reply, ttl)
        self._answers += 1
        if self._answers >= ANSWERS_MAX and self._ares is not None:
            self._answers = 0
            self._ares.forget()

    def give_up(self) -> None:
        """End the questions that c-ares should have given up long ago."""
        overdue = time.monotonic() - LIFE
        while self._asked and next(iter(self._asked.values()))[0] < overdue:
            self._receive(next(iter(self._asked)), Failed("no answer"), 0.0)
