"""A name server on loopback, and a resolver that asks it."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgpack
import pytest

from lab.peers.nameserver import NameServer, Records, failing, lasting, silent
from opensmtpd import answer
from opensmtpd.answer import Deferred
from opensmtpd.dns import Question, RecordType, Reply
from opensmtpd.dns.resolver import resolver
from opensmtpd.dns.resolver.orders import SAVE
from opensmtpd.dns.resolver.process.service import Service
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.dns.resolver.shared import SharedReplies
from opensmtpd.dns.servers import PATIENCE, ServerAddress
from opensmtpd.errors import WorkerError

if TYPE_CHECKING:
    from opensmtpd.worker import Link

T = TypeVar("T")
A, AAAA, PTR, TXT, MX = RecordType.A, RecordType.AAAA, RecordType.PTR, RecordType.TXT, RecordType.MX

RECORDS: Records = {
    ("example.org", "A"): ["192.0.2.1", "192.0.2.2"],
    ("example.org", "AAAA"): ["2001:DB8::1"],
    ("example.org", "MX"): ["20 b.example.org.", "10 a.example.org.", "10 A.example.org."],
    ("example.org", "TXT"): [r'"v=one" " and two"', r'"\255\010|"'],
    ("example.org", "SOA"): lasting(900, "ns. root. 1 2 3 4 300"),
    ("short.example", "SOA"): lasting(3, "ns. root. 1 2 3 4 300"),
    ("a.short.example", "TXT"): ['"x"'],
    ("0.192.in-addr.arpa", "SOA"): lasting(900, "ns. root. 1 2 3 4 600"),
    ("3.0.192.in-addr.arpa", "SOA"): lasting(900, "ns. root. 1 2 3 4 30"),
    ("in-addr.arpa", "SOA"): lasting(9000, "ns. root. 1 2 3 4 3600"),
    ("sub.example.org", "SOA"): lasting(900, "ns. root. 1 2 3 4 30"),
    ("5.2.0.192.in-addr.arpa", "PTR"): ["one.example.", "TWO.example."],
    ("alias.example.org", "CNAME"): ["example.org."],
    ("once.example.org", "A"): lasting(0, "192.0.2.9"),
    ("five.example.org", "A"): lasting(5, "192.0.2.9"),
    ("silent.example.org", "A"): silent,
    ("refused.example.org", "A"): failing(),
}


def port() -> int:
    """Return a port that is free for UDP and TCP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        free: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", free))
        return free


class Clock:
    """Time that a test moves."""

    ahead = 0.0
    """Seconds by which the monotonic clock is ahead."""


class _Link:
    """Frames go through msgpack, as between two processes."""

    def __init__(self, pool: "_Pool") -> None:
        self._pool = pool

    def reply(self, number: int, value: object) -> None:
        self._pool.open.pop(number).settle(msgpack.unpackb(msgpack.packb(value)))

    def fail(self, number: int, error: BaseException) -> None:
        self._pool.open.pop(number).fail(WorkerError(str(error), type(error).__name__))

    def flush(self) -> None:
        pass


class _Pool:
    """The resolver's process in the process of the test, where its constants can be changed."""

    def __init__(self, *_: object, **__: object) -> None:
        self.service: Service | None = None
        self.open: dict[int, Deferred[Any]] = {}
        self.numbers = itertools.count()
        self.setup: tuple[list[ServerAddress], str | None] = [], None

    def ask(self, request: list[Any]) -> Deferred[Any]:
        if self.service is None:
            self.service = Service(cast("Link", _Link(self)), *self.setup)
        number, reply = next(self.numbers), Deferred[Any]()
        self.open[number] = reply
        self.service._obey(number, *msgpack.unpackb(msgpack.packb(request)))
        return reply

    request = ask

    def receive(self) -> list[Any]:
        return []

    def next_deadline(self) -> None:
        return None


class Lab:
    """A name server, and a resolver that asks it."""

    def __init__(
        self, server: NameServer, address: tuple[str, int], cache: str | None = None
    ) -> None:
        self.server = server
        self.servers = [ServerAddress(*address)]
        self.runner = asyncio.Runner()
        self.renew(cache)

    def renew(
        self,
        cache: str | None = None,
        patience: float = PATIENCE,
        shared: SharedReplies | None = None,
    ) -> None:
        """Have another resolver, as if the filter had been started again."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resolver, "Pool", _Pool)
            self.resolver = Resolver(self.servers, None, patience, shared)
        answer.unregister(self.resolver)
        self.pool = cast("_Pool", self.resolver._pool)
        self.pool.setup = self.servers, cache

    @property
    def service(self) -> Service:
        """The resolver's process."""
        assert self.pool.service is not None
        return self.pool.service

    @property
    def link(self) -> "Link":
        """The end of the connection that the resolver's process has."""
        return self.service._link

    def save(self) -> None:
        """Have the process save the cache file."""
        self.pool.ask([SAVE])

    def run(self, job: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a job in the loop of the lab, and end the questions that it leaves."""
        return self.runner.run(self._whole(job))

    async def _whole(self, job: Callable[[], Coroutine[Any, Any, T]]) -> T:
        ticking = asyncio.create_task(self._tick())
        result = await job()
        service = self.pool.service
        while service is not None and (len(service._name_servers) or service._absences._task):
            service._name_servers._direct.cancel()
            ares = service._name_servers._ares
            if ares is not None:
                ares._quick.cancel()
                ares._patient.cancel()
            await asyncio.sleep(0.01)
        ticking.cancel()
        return result

    async def _tick(self) -> None:
        """End waits, as the loop of a filter does."""
        while True:
            for settle in self.resolver.expire(time.monotonic()):
                settle()
            await asyncio.sleep(0.01)

    async def ask(self, *questions: Question, within: float = 10.0) -> list[Reply]:
        return await self.resolver.ask(questions, time.monotonic() + within)

    def one(self, name: str, kind: RecordType, within: float = 10.0) -> Reply:
        return self.run(lambda: self.ask(Question(name, kind), within=within))[0]

    def asked(self, kind: str = "A") -> list[str]:
        """What the server was asked for, SOA and others apart."""
        return [name for name, asked in self.server.asked if asked == kind]

    def close(self) -> None:
        """Close the loop."""
        self.runner.close()


@contextmanager
def served(cache: str | None = None) -> Iterator[Lab]:
    """Have a lab, whose name server has RECORDS."""
    address = ("127.0.0.1", port())
    with NameServer(RECORDS, address) as server, closing(Lab(server, address, cache)) as lab:
        yield lab


@contextmanager
def dribbling() -> Iterator[tuple[tuple[str, int], list[int]]]:
    """Run a name server whose answers are long, and come over TCP an octet now and then.

    Yields its address, and a list that gets an entry for each connection.
    """
    address, connections, end = ("127.0.0.1", port()), list[int](), threading.Event()

    def say_long(udp: socket.socket) -> None:
        with suppress(OSError):
            while True:
                query, client = udp.recvfrom(4096)
                if not query:  # the end
                    return
                udp.sendto(query[:2] + bytes([query[2] | 0x82]) + query[3:], client)

    def dribble(tcp: socket.socket) -> None:
        with suppress(OSError):
            while True:
                end_of, _ = tcp.accept()
                connections.append(1)
                threading.Thread(target=drip, args=(end_of,), daemon=True).start()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"\xff")
            while not end.wait(0.05):
                connection.sendall(b"\0")

    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(address)
        tcp.bind(address)
        tcp.listen()
        threads = [
            threading.Thread(target=say_long, args=(udp,)),
            threading.Thread(target=dribble, args=(tcp,)),
        ]
        for thread in threads:
            thread.start()
        yield address, connections
        end.set()
        for each in (udp, tcp):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
