"""2,000 clients at once, and a name server that takes its time: each gets the right answer.

The filters are programs as under smtpd, spoken to as smtpd does.
"""

import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rdatatype
import pytest

from lab.peers.clients import reverse
from lab.peers.nameserver import NameServer, Records
from unit.support.talk import HELLO, report, request

COUNT = 2000
PORT = 5399
ASK = [f"--nameserver=127.0.0.1:{PORT}", "--dns-deadline=30"]
HEADER = 12
"""Octets in front of the question (RFC 1035 section 4.1.1)."""
NXDOMAIN = b"\0\0\x85\x83\0\1" + bytes(6)
"""A header with that, without its id, in front of one question."""
ADDRESSES = [f"10.{number // 250}.{number % 250}.7" for number in range(COUNT)]


def records() -> Records:
    """Three clients in four have a name, one of these lies, and one of the others is listed."""
    known: dict[tuple[str, str], list[str]] = {}
    for number, address in enumerate(ADDRESSES):
        name = f"host{number}.example.net"
        if number % 4:
            known[reverse(address), "PTR"] = [f"{name}."]
            known[name, "A"] = ["203.0.113.9" if number % 4 == 1 else address]
        if number % 4 == 3:
            listed = reverse(address).replace("in-addr.arpa", "bl.test")
            known[listed, "A"] = ["127.0.0.2"]
    return known


class QuickServer(NameServer):
    """A name server that has prepared its answers: on a busy machine it is to be no slower.

    To make one takes half a millisecond, and resolvers ask again after two seconds.
    """

    def __init__(self, records: Records, address: tuple[str, int]) -> None:
        super().__init__(records, address)
        self._prepared: dict[bytes, bytes] = {}
        for name, kind in records:
            query = dns.message.make_query(name, kind, id=0).to_wire()
            answer = super()._answer(query, udp=True)
            assert answer is not None
            self._prepared[query[HEADER:]] = answer
        self.asked.clear()

    def _answer(self, query: bytes, udp: bool) -> bytes | None:
        end = query.index(b"\0", HEADER) + 5
        asked = query[HEADER:end].lower()
        labels, at = [], 0
        while asked[at]:
            labels.append(asked[at + 1 : at + 1 + asked[at]].decode())
            at += 1 + asked[at]
        kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(asked[-3]))
        self.asked.append((".".join(labels), kind))
        answer = self._prepared.get(asked, NXDOMAIN + asked)
        return query[:2] + answer[2:]


@pytest.fixture(scope="module")
def slow() -> Iterator[NameServer]:
    with QuickServer(records(), ("127.0.0.1", PORT)) as server:
        server.delay = 0.5
        yield server


def connects() -> bytes:
    """Return what smtpd says when they all come, each with its request."""
    lines = []
    for number, address in enumerate(ADDRESSES):
        session, token = b"%016x" % number, b"%016x" % (COUNT + number)
        ends = (b"%s:4000" % address.encode(), b"192.0.2.1:25")
        lines.append(report(b"link-connect", b"<unknown>", b"fail", *ends, session=session))
        fields = b"<unknown>|" + address.encode()
        lines.append(request(b"connect", fields, session=session, token=token))
    return b"".join(lines)


def decisions(command: list[str]) -> tuple[list[str], str]:
    """Return the filter's decisions in the order of the clients, and its log."""
    mine, its = socket.socketpair()
    with tempfile.TemporaryFile() as log, mine, mine.makefile("rb") as lines:
        process = subprocess.Popen(command, stdin=its.fileno(), stdout=its.fileno(), stderr=log)
        its.close()
        mine.settimeout(60)
        mine.sendall(HELLO)
        while lines.readline() not in (b"register|ready\n", b""):
            pass
        threading.Thread(target=mine.sendall, args=(connects(),)).start()
        said = [lines.readline().decode().rstrip("\n").split("|", 3) for _ in range(COUNT)]
        mine.shutdown(socket.SHUT_RDWR)
        assert process.wait(30) == 0
        log.seek(0)
        text = log.read().decode()
    assert {int(token, 16) - int(session, 16) for _, session, token, _ in said} == {COUNT}
    return [decision for *_, decision in sorted(said, key=lambda one: one[1])], text


def logged(text: str) -> int:
    """Return how many lines were logged, with those that the limit of the log left out.

    Lines about processes that a busy machine keeps waiting are not counted.
    """
    lines = [line for line in text.splitlines() if not line.startswith(("stem-", "resolver-"))]
    left_out = [int(line.split("=")[1]) for line in lines if line.startswith("log-limited lines=")]
    return len(lines) - len(left_out) + sum(left_out)


def program(name: str, *options: str) -> list[str]:
    return [str(Path(sys.executable).with_name(name)), *ASK, *options]


def test_names(slow: NameServer) -> None:
    found, log = decisions(program("filter-rdns", "--verify", "--fcrdns=junk"))
    assert found == ["junk", "junk", "proceed", "proceed"] * (COUNT // 4)
    kinds_written = log.count(" junk check=rdns,fcrdns "), log.count(" junk check=fcrdns ")
    assert sum(kinds_written) == log.count(" junk ") >= 100  # which ones, the limit decides
    assert logged(log) == COUNT // 2
    # No question twice, but for those that were lost on the way or came too late.
    kinds = Counter(kind for _, kind in dict.fromkeys(slow.asked))
    assert (kinds["PTR"], kinds["A"]) == (COUNT, COUNT // 4 * 3)


def test_lists(slow: NameServer) -> None:
    found, log = decisions(program("filter-dnsbl", "bl.test"))
    usual = ["proceed", "proceed", "proceed", "disconnect|421 Listed at bl.test"]
    assert found == usual * (COUNT // 4)
    assert logged(log) == COUNT // 4
