"""Asks a filter for decisions about clients who connect while others stream large messages."""

import select
import time
from typing import NamedTuple

from bench.child import Child
from bench.driver import CONNECT, STAMP, message, wire

STREAMS, SIZE = 16, 2_000_000


class Waits(NamedTuple):
    """Seconds that each decision took, and the most memory of all processes."""

    waits: list[float]
    peak_kib: int


def measure(command: list[str]) -> Waits:
    """Stream all messages at once; ask for a connect decision between chunks of 4 KiB of each."""
    child = Child(command)
    streams = [wire(message(SIZE), b"%016x" % n) for n in range(STREAMS)]
    places = [0] * len(streams)
    out, inbox = bytearray(), b""
    asked: dict[bytes, float] = {}  # bytes still to be sent, then minus the time they were
    waits: list[float] = []
    ends, serial = 0, 0
    while ends < len(streams):
        if len(out) < 1 << 16:
            for n, stream in enumerate(streams):
                cut = stream.rfind(b"\n", places[n], places[n] + 4096) + 1 or len(stream)
                out += stream[places[n] : cut] if places[n] < len(stream) else b""
                places[n] = max(cut, places[n])
            serial += 1
            session = b"%016x" % (1 << 40 | serial)
            out += b"filter|0.7|%s|smtp-in|connect|%s|%s|x.example|192.0.2.1\n" % (
                STAMP,
                session,
                CONNECT,
            )
            out += b"report|0.7|%s|smtp-in|link-disconnect|%s\n" % (STAMP, session)
            asked[session] = len(out)
        link = child.socket
        readable, writable, _ = select.select([link], [link] if out else [], [], 60)
        if writable:
            sent = link.send(bytes(out[: 1 << 16]))
            del out[:sent]
            now = time.perf_counter()
            for session, left in asked.items():
                if left > 0:  # the clock of a question starts when its last byte is on the way
                    asked[session] = left - sent if left > sent else -now
        if readable:
            inbox += link.recv(1 << 20)
            *lines, inbox = inbox.split(b"\n")
            now = time.perf_counter()
            for line in lines:
                if line.startswith(b"filter-result|"):
                    waits.append(now + asked.pop(line[14:30]))
                ends += line.endswith(b"|.")
    _, peak = child.close()
    return Waits(waits, peak)
