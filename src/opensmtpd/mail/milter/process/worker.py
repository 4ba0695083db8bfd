"""The worker that talks to milters: it has the connections, for each session of smtpd a chain.

Requests are ``[order, number, *arguments]``; ``number`` is that of a chain of the front. The first
argument of a step is a time of ``time.monotonic``, which is the same for all processes: the milters
must be done then. No reply is late: where a milter takes its time, it is None, and the front asks
again with WAIT.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from opensmtpd.backends.network import names
from opensmtpd.errors import LocalError, ProtocolError, ServerLate, ServerLost, Unavailable
from opensmtpd.mail.milter.outcome import MilterOutcome
from opensmtpd.mail.milter.process import orders
from opensmtpd.mail.milter.process.chain import MilterChain
from opensmtpd.mail.milter.process.connection import MilterConnection, Timeouts
from opensmtpd.needs import Needs
from opensmtpd.worker.coroutines import CoroutineWorker
from opensmtpd.worker.frames import FRAME_MAX, LOADED_MAX, pack

BEAT = 2.0
"""Seconds until the front hears of a request that is not done."""
PART = FRAME_MAX // 2
"""Bytes of a part of a reply that is too large for a frame."""


class UnknownChain(Unavailable):
    """This process does not have the connections: it has taken the place of another one."""


class MilterWorker(CoroutineWorker):
    """Has the connections. Its setup is places, Timeouts, and whether mail passes without them."""

    title = "milters"
    threads = True  # for names of hosts
    memory = 2 << 30

    def load(self, setup: Any) -> None:
        """Take the places."""
        places, timeouts, self._opens = setup
        self._places = [each if isinstance(each, str) else (each[0], each[1]) for each in places]
        self._timeouts = Timeouts(*timeouts)
        self._chains: dict[int, MilterChain] = {}
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._large: dict[int, bytes] = {}
        self.needs = Needs(sockets=tuple(each for each in self._places if isinstance(each, str)))
        if any(isinstance(each, tuple) for each in self._places):
            names.prepare()
            self.needs |= names.NEEDS

    async def answer(self, request: Any) -> Any:
        """Obey a request. Raises UnknownChain, LocalError."""
        order, number, *arguments = request
        if order == orders.QUIT:
            self._quit(number)
            return True
        if order == orders.ABORT:
            self._abort(number)
            return True
        if order == orders.PING:
            return await self._ping(number, *arguments)
        if order != orders.WAIT:
            if number in self._tasks:
                raise LocalError("a step to milters that are not done with the last one")
            self._tasks[number] = asyncio.create_task(self._obey(order, number, arguments))
        task = self._tasks.get(number)
        if task is None:
            raise UnknownChain("the connections to the milters are gone")
        await asyncio.wait([task], timeout=BEAT)
        if not task.done():
            return None
        self._tasks.pop(number, None)
        if task.cancelled():
            raise UnknownChain("the connections to the milters are gone")
        return task.result()

    async def _obey(self, order: int, number: int, arguments: list[Any]) -> Any:
        if order == orders.CONNECT:
            self._quit_chain(number)
            chain = MilterChain(self._places, self._timeouts, opens=self._opens)
            self._chains[number] = chain
            return (await self._stepped(chain, order, *arguments)).plain()
        found = self._chains.get(number)
        if found is None:
            raise UnknownChain("the connections to the milters are gone")
        if order == orders.FIELDS:
            fields, own, last = arguments
            found.fields(fields, own, last=last)
            return True
        if order == orders.EDITS:
            return self._edits(found, number, *arguments)
        return (await self._stepped(found, order, *arguments)).plain()

    async def _ping(self, index: int, seconds: float) -> bool:
        """Connect to a milter, and negotiate. Raises ServerLost, ServerLate."""
        connection = MilterConnection(self._places[index], self._timeouts)
        try:
            async with asyncio.timeout(seconds):
                await connection.open()
        except ProtocolError as error:
            raise ServerLost(str(error)) from None
        except TimeoutError:
            raise ServerLate("it does not answer in time") from None
        finally:
            connection.close()
        return True

    async def _stepped(
        self, chain: MilterChain, order: int, until: float, *arguments: Any
    ) -> MilterOutcome:
        steps: dict[int, Callable[..., Awaitable[MilterOutcome]]] = {
            orders.CONNECT: chain.connect,
            orders.HELO: chain.helo,
            orders.MAIL: chain.mail,
            orders.RCPT: chain.rcpt,
            orders.DATA: chain.data,
            orders.CONTENT: chain.content,
            orders.BODY: chain.body,
            orders.EOM: chain.eom,
        }
        chain.begin(until)
        return await steps[order](*arguments)

    def _edits(self, chain: MilterChain, number: int, begin: int) -> list[Any]:
        """Return the length of the packed edits, and a part of them."""
        if begin == 0:
            self._large[number] = pack(list(chain.edits()), LOADED_MAX)
        large = self._large.get(number, b"")
        part = large[begin : begin + PART]
        if begin + len(part) >= len(large):
            self._large.pop(number, None)
        return [len(large), part]

    def _abort(self, number: int) -> None:
        """Forget a message; milters that work on it cannot be told, and are left."""
        chain = self._chains.get(number)
        self._large.pop(number, None)
        if number in self._tasks:
            self._quit(number)
        elif chain is not None:
            chain.abort()

    def _quit(self, number: int) -> None:
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()
        self._quit_chain(number)

    def _quit_chain(self, number: int) -> None:
        self._large.pop(number, None)
        chain = self._chains.pop(number, None)
        if chain is not None:
            chain.close()
