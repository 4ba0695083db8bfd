"""A name server on 127.0.0.1:53 of the private network, answering from plain data, UDP and TCP.

A record is its text in zone file form (``\\124`` is the octet 124), so hostile names are plain
data, too. What is no matter of data, a time-out say, is a function in the record's place.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

ADDRESS = ("127.0.0.1", 53)
BUFFER = 16 << 20
"""Of the socket: thousands of questions at once must not be lost."""
TTL = 60
SIZE_MAX = 65535
"""Octets of an answer at most; what a client takes over UDP is looked at later."""
PLAIN_UDP = 512
"""Octets of an answer to somebody who does not say what he takes (RFC 1035 section 4.2.1)."""

Rule: TypeAlias = Callable[[dns.message.QueryMessage], bytes | None]
"""From a question to the answer in wire form; None for silence."""
Records: TypeAlias = Mapping[tuple[str, str], Sequence[str] | Rule]
"""From (name without final dot, type) to the texts of the records. A name may be ``*.example.org``;
CNAME records are followed.
"""


def of_zone(text: str, ttl: int = TTL) -> Records:
    """Return the records of a piece of a zone file."""
    zone = dns.zone.from_text(
        f"$TTL {ttl}\n{text}", origin=".", check_origin=False, relativize=False
    )
    found: dict[tuple[str, str], list[str]] = {}
    for name, _, rdata in zone.iterate_rdatas():
        key = (str(name).rstrip("."), dns.rdatatype.to_text(rdata.rdtype))
        found.setdefault(key, []).append(rdata.to_text())
    return found


def response_to(request: dns.message.QueryMessage) -> dns.message.Message:
    """Return an answer that says nothing yet."""
    response = dns.message.make_response(request)
    response.flags |= dns.flags.AA | dns.flags.RA
    return response


def add(
    response: dns.message.Message,
    owner: dns.name.Name,
    kind: str,
    texts: Sequence[str],
    ttl: int = TTL,
) -> None:
    """Add records to an answer, in this order: those of one RRset would be shuffled."""
    response.answer += [dns.rrset.from_text(owner, ttl, "IN", kind, text) for text in texts]


def silent(request: dns.message.QueryMessage) -> None:
    """Do not answer."""


def failing(rcode: dns.rcode.Rcode = dns.rcode.SERVFAIL) -> Rule:
    """Answer with an error."""

    def rule(request: dns.message.QueryMessage) -> bytes:
        response = response_to(request)
        response.set_rcode(rcode)
        return response.to_wire(max_size=SIZE_MAX)

    return rule


def lasting(ttl: int, *texts: str) -> Rule:
    """Answer with records that live for ``ttl`` seconds."""

    def rule(request: dns.message.QueryMessage) -> bytes:
        response, question = response_to(request), request.question[0]
        add(response, question.name, dns.rdatatype.to_text(question.rdtype), texts, ttl)
        return response.to_wire(max_size=SIZE_MAX)

    return rule


def garbage(octets: bytes) -> Rule:
    """Answer with these octets behind the question's id."""
    return lambda request: request.id.to_bytes(2, "big") + octets


def ancestors(name: str) -> Iterator[str]:
    """Yield ``name`` and what stands above it, the root left out."""
    while name:
        yield name
        name = name.partition(".")[2]


class NameServer:
    """Answers from ``records``, NXDOMAIN for all else; ``with NameServer(records):`` runs it."""

    def __init__(self, records: Records, address: tuple[str, int] = ADDRESS):
        self.records = records
        self.asked: list[tuple[str, str]] = []
        """What has been asked: name and type."""
        self.delay = 0.0
        """Seconds that each answer takes."""
        self.dead = False
        """Is there no answer to anything?"""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._address = address
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._tcp = socket.socket(family, socket.SOCK_STREAM)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="nameserver", daemon=True)

    @property
    def records(self) -> Records:
        """What it answers from; assign to change it."""
        return self._records

    @records.setter
    def records(self, records: Records) -> None:
        self._records = records
        self._names = {above for name, _ in records for above in ancestors(name)}

    def __enter__(self) -> "NameServer":
        with suppress(PermissionError, AttributeError):  # SO_RCVBUFFORCE, beyond rmem_max
            self._udp.setsockopt(socket.SOL_SOCKET, 33, BUFFER)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for end in (self._udp, self._tcp):
            end.bind(self._address)
            end.setblocking(False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        for end in (self._udp, self._tcp):
            end.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop.add_reader(self._udp, self._drain)
        server = await asyncio.start_server(self._converse, sock=self._tcp)
        await self._stop.wait()
        self._loop.remove_reader(self._udp)
        server.close()

    def _drain(self) -> None:
        """Take all questions that have come, then answer them: the socket's buffer is finite."""
        came = self._loop.time()
        taken = []
        with suppress(OSError):  # no more; or an answer has found its client gone
            while True:
                taken.append(self._udp.recvfrom(4096))
        for query, client in taken:
            answer = self._answer(query, udp=True)
            if answer is not None:
                self._loop.call_at(came + self.delay, self._send, answer, client)

    def _send(self, answer: bytes, client: tuple[str, int]) -> None:
        with suppress(OSError):  # it has gone
            self._udp.sendto(answer, client)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                answer = self._answer(await reader.readexactly(length), udp=False)
                await asyncio.sleep(self.delay)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
        writer.close()

    def _answer(self, query: bytes, udp: bool) -> bytes | None:
        """Return the answer to one query, both in wire form; None for silence and to nonsense."""
        try:
            request = dns.message.from_wire(query)
        except dns.exception.DNSException:
            return None
        if not isinstance(request, dns.message.QueryMessage) or len(request.question) != 1:
            return None
        question = request.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype)))
        if self.dead:
            return None
        answer = self.answer(request)
        limit = max(request.payload, PLAIN_UDP)
        if answer is not None and udp and len(answer) > limit:
            response = response_to(request)
            response.flags |= dns.flags.TC
            return response.to_wire(max_size=SIZE_MAX)
        return answer

    def answer(self, request: dns.message.QueryMessage) -> bytes | None:
        """Return the answer, however long; None for silence."""
        response, question = response_to(request), request.question[0]
        kind, owner = dns.rdatatype.to_text(question.rdtype), question.name
        seen = set()
        while owner not in seen:
            seen.add(owner)
            found = self._find(owner, kind)
            if callable(found):
                return found(request)
            if found is not None:
                add(response, owner, kind, found)
                break
            alias = self._find(owner, "CNAME")
            if alias is None or callable(alias):
                name = owner.to_text(omit_final_dot=True).lower()
                if name not in self._names and not self._wild(name):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                break
            add(response, owner, "CNAME", alias)
            owner = dns.name.from_text(alias[0])
        return response.to_wire(max_size=SIZE_MAX)

    def _find(self, owner: dns.name.Name, kind: str) -> Sequence[str] | Rule | None:
        name = owner.to_text(omit_final_dot=True).lower()
        found = self._records.get((name, kind))
        if found is None and name not in self._names:
            wild = self._wild(name)
            found = self._records.get((wild, kind)) if wild else None
        return found

    def _wild(self, name: str) -> str | None:
        """Return the wildcard that a name falls under."""
        above = (f"*.{each}" for each in ancestors(name.partition(".")[2]))
        return next((wild for wild in above if wild in self._names), None)


def txt(name: bytes, timeout: int = 5) -> bytes | None:
    """Ask the test name server for a TXT record, in the form that dkimpy wants its DNS."""
    query = dns.message.make_query(dns.name.from_text(name.decode("ascii")), "TXT")
    response = dns.query.udp(query, ADDRESS[0], timeout=timeout, port=ADDRESS[1])
    for rrset in response.answer:
        for record in rrset:
            return b"".join(record.strings)
    return None
