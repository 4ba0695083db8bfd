"""Plays smtpd to a table: requests one after the other, as smtpd sends them, and many at once."""

import random
import select
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.child import Child
from bench.driver import STAMP


class Kind(NamedTuple):
    """A kind of request."""

    verb: str
    service: str
    key: Callable[[random.Random], str]


def requests(kinds: list[Kind], count: int, dice: random.Random) -> list[bytes]:
    """Return ``count`` requests of these kinds in turn."""
    lines = []
    for n in range(count):
        kind = kinds[n % len(kinds)]
        id, key = b"%08x" % dice.getrandbits(32), kind.key(dice).encode()
        words = (b"table|0.1", STAMP, b"bench", kind.verb.encode(), kind.service.encode(), id, key)
        lines.append(b"|".join(words) + b"\n")
    return lines


def round_trips(child: Child, lines: list[bytes]) -> list[float]:
    """Ask one after the other; returns the microseconds of each."""
    link, clock, times = child.socket, time.perf_counter, []
    link.settimeout(30)
    for line in lines:
        start = clock()
        link.sendall(line)
        answer = link.recv(4096)
        times.append((clock() - start) * 1e6)
        if not answer.endswith(b"\n") or b"|error" in answer:
            raise SystemExit(f"{answer!r} is the answer to {line!r}")
    return times


def in_flight(child: Child, lines: list[bytes], window: int) -> float:
    """Ask so many at a time, another one for each answer; returns answers a second."""
    link, sent, left, answers = child.socket, window, len(lines), list[bytes]()
    link.settimeout(30)
    start = time.perf_counter()
    link.sendall(b"".join(lines[:window]))
    while left:
        answers.append(link.recv(1 << 16))
        came = answers[-1].count(b"\n")
        if not came:
            raise SystemExit("the table has ended")
        left -= came
        link.sendall(b"".join(lines[sent : sent + came]))
        sent += came
    seconds = time.perf_counter() - start
    if b"|error" in b"".join(answers):
        raise SystemExit("the table answers with errors")
    return len(lines) / seconds


def pipelined(child: Child, lines: list[bytes]) -> tuple[float, bytes]:
    """Ask without waiting; returns answers a second, and the answers."""
    link, out, answers, left = child.socket, memoryview(b"".join(lines)), [b""], len(lines)
    link.setblocking(False)
    start = time.perf_counter()
    while left:
        readable, writable, _ = select.select([link], [link] if out else [], [], 30)
        if writable:
            out = out[link.send(out[: 1 << 16]) :]
        if readable:
            answers.append(link.recv(1 << 20))
            left -= answers[-1].count(b"\n")
        if not (readable or writable) or (readable and not answers[-1]):
            raise SystemExit("the table hangs or has ended")
    return len(lines) / (time.perf_counter() - start), b"".join(answers)
