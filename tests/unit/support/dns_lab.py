"""A name server on loopback, and a resolver that asks it."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from lab.peers.nameserver import NameServer, Records, failing, lasting, silent
from opensmtpd.dns import Question, RecordType, Reply
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.dns.servers import ServerAddress

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


class Lab:
    """A name server, and a resolver that asks it."""

    def __init__(self, server: NameServer, address: tuple[str, int]) -> None:
        self.server = server
        self.servers = [ServerAddress(*address)]
        self.resolver = Resolver(self.servers)

    def run(self, job: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a job in a loop of its own, and end the questions that it leaves."""

        async def whole() -> T:
            result = await job()
            in_flight = self.resolver._in_flight
            if in_flight._ares is not None:
                in_flight._ares._quick.cancel()
                in_flight._ares._patient.cancel()
            while len(in_flight) or self.resolver._learning:
                await asyncio.sleep(0.01)
            return result

        return asyncio.run(whole())

    async def ask(self, *questions: Question, within: float = 10.0) -> list[Reply]:
        until = asyncio.get_running_loop().time() + within
        return await self.resolver.ask(questions, until)

    def one(self, name: str, kind: RecordType, within: float = 10.0) -> Reply:
        return self.run(lambda: self.ask(Question(name, kind), within=within))[0]

    def asked(self, kind: str = "A") -> list[str]:
        """What the server was asked for, SOA and others apart."""
        return [name for name, asked in self.server.asked if asked == kind]
