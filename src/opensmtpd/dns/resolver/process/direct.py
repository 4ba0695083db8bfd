"""Asks name servers without c-ares: about names that it refuses. UDP, and TCP for what is long."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from opensmtpd.dns.question import Failed, Question, Reply
from opensmtpd.dns.resolver.process import message
from opensmtpd.dns.resolver.process.channel import RESOLV_CONF, Done
from opensmtpd.dns.servers import ServerAddress, server
from opensmtpd.errors import ConfigError
from opensmtpd.files import reading

WAITS = (2.0, 4.0)
"""Seconds that each name server gets for an answer, in the first round and in the second."""
WITHIN = 20.0
"""Seconds until a question has failed, with the time that it waits for its turn."""
SOCKETS = 100
"""Name servers that are asked at a time, at most: each question has a port of its own."""
ASKED_MAX = 1000
"""Questions at a time, at most, with those that wait for their turn."""
CROWDED = Failed("too many questions about odd names at a time", ours=True)
CONF_MAX = 64 * 1024
"""Bytes of resolv.conf that are read, at most."""
LOCAL = ServerAddress("127.0.0.1")
"""Asked where resolv.conf names nobody: resolv.conf(5)."""


class Direct:
    """Asks each question in a task of its own; their number and time are bounded."""

    def __init__(self, servers: Sequence[ServerAddress]) -> None:
        """Ask ``servers``; an empty sequence stands for those of resolv.conf."""
        self._given = servers
        self._servers: Sequence[ServerAddress] = servers
        self._turn = asyncio.Semaphore(SOCKETS)
        self._tasks: set[asyncio.Task[tuple[Reply, float]]] = set()

    def reread(self) -> None:
        """Read resolv.conf again with the next question."""
        self._servers = self._given

    def ask(self, question: Question, done: Done) -> None:
        """Ask, and call ``done`` with the reply and its TTL in seconds, 0 where it has none."""
        loop = asyncio.get_running_loop()
        if len(self._tasks) >= ASKED_MAX:
            loop.call_soon(done, CROWDED, 0.0)
            return
        if not self._servers:
            self._servers = _of_resolv_conf()
        task = loop.create_task(self._ask(question, self._servers))
        self._tasks.add(task)
        task.add_done_callback(partial(self._end, done))

    def _end(self, done: Done, task: "asyncio.Task[tuple[Reply, float]]") -> None:
        self._tasks.discard(task)
        if task.cancelled():
            done(Failed("given up"), 0.0)
        elif (error := task.exception()) is not None:
            done(Failed(type(error).__name__), 0.0)
        else:
            done(*task.result())

    def cancel(self) -> None:
        """End all questions."""
        for task in self._tasks:
            task.cancel()

    async def _ask(
        self, question: Question, servers: Sequence[ServerAddress]
    ) -> tuple[Reply, float]:
        """Ask one name server after the other, until one of them knows."""
        last = Failed("no answer")
        silent: list[ServerAddress] = [*servers]
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN), self._turn:
                for seconds in WAITS:
                    asked, silent = silent, []
                    for address in asked:
                        try:
                            reply, ttl = await _ask_one(question, address, seconds)
                        except TimeoutError:
                            silent.append(address)
                        except Exception as error:  # refused, no route, not a message
                            last = Failed(type(error).__name__)
                        else:
                            if not isinstance(reply, Failed):
                                return reply, ttl
                            last = reply
        return last, 0.0


async def _ask_one(
    question: Question, address: ServerAddress, seconds: float
) -> tuple[Reply, float]:
    """Ask one name server. Raises TimeoutError, OSError, and what ``message.read`` raises."""
    asked = message.query(question, secrets.randbits(16))
    async with asyncio.timeout(seconds):
        data = await _over_udp(asked, address)
        if message.is_truncated(data):
            data = await _over_tcp(asked, address)
    return message.read(question.kind, asked, data)


class _Socket(asyncio.DatagramProtocol):
    """Waits for the answer to one query."""

    def __init__(self, asked: bytes) -> None:
        self._asked = asked
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _: object) -> None:
        """Take the answer; what is none may be a forgery, and the answer is still to come."""
        if not self.answer.done() and message.is_answer(self._asked, data):
            self.answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        """Fail: there is no name server, say."""
        if not self.answer.done():
            self.answer.set_exception(error)


async def _over_udp(asked: bytes, address: ServerAddress) -> bytes:
    """Ask from a new port, which the system chooses; only this name server can send to it."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Socket(asked), remote_addr=address
    )
    try:
        transport.sendto(asked)
        return await protocol.answer
    finally:
        transport.abort()


async def _over_tcp(asked: bytes, address: ServerAddress) -> bytes:
    """Ask on a new connection (RFC 7766). Raises OSError, EOFError, and ValueError for nonsense."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(len(asked).to_bytes(2, "big") + asked)
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.transport.abort()
    if not message.is_answer(asked, data):
        raise ValueError("the answer to another question")
    return data


def _of_resolv_conf() -> Sequence[ServerAddress]:
    """Return the name servers of resolv.conf, but those with an interface (``fe80::1%em0``).

    c-ares has its own, and aiodns does not always show their ports. Raises ConfigError for a file
    that cannot be read.
    """
    with reading(RESOLV_CONF) as file:
        lines = file.read(CONF_MAX).decode("latin-1").splitlines()
    found = []
    for word, *values in (line.split() for line in lines if line.strip()):
        if word == "nameserver" and values:
            with suppress(ConfigError):
                found.append(server(values[0]))
    return found or [LOCAL]
