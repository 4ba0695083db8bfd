"""Plays smtpd to a filter that is sent messages: in one of three orders, by sessions side by side.

The driver is to cost little: it looks for the ends of messages and for decisions, and for nothing
else. As soon as a session ends another begins; nothing waits for a whole group of them.
"""

import math
import random
import select
import time
from collections import deque
from dataclasses import dataclass
from itertools import accumulate

from bench.child import Child

STAMP = b"1795335705.127288"
DATA, COMMIT, CONNECT = b"1f083015d732b8dd", b"1f08301bf13c4c1f", b"1f08300d56622f13"
AHEAD = 1 << 16
"""Lines are added to those that wait to be sent while they have fewer bytes than this."""

_DOT = b"|%s|.\n" % DATA  # the end of a message's last line; its session stands before it
_RESULT = b"filter-result|"


@dataclass(frozen=True)
class Order:
    """The number of lines of one session that stand together before another session's lines."""

    name: str
    least: int
    most: int


LINE_BY_LINE = Order("line by line", 1, 1)
"""The worst case, which smtpd does not do."""
WHOLE = Order("whole", 1 << 40, 1 << 40)
"""Each message at once: what there is with one session."""


def as_smtpd(size: int) -> Order:
    """Return the order of smtpd 7.6 for messages of that many bytes.

    24 to 28 lines were seen at 2 KB, 210 to 365 at 200 KB; between the two it is interpolated, by
    the logarithm of the size.
    """
    if size <= 2_000:
        return Order("as smtpd interleaves", 24, 28)
    share = min(1.0, math.log10(size / 2_000) / 2)
    return Order("as smtpd interleaves", round(24 + share * 186), round(28 + share * 337))


@dataclass(frozen=True)
class Run:
    """The cost of one run."""

    messages: int
    seconds: float
    cpu_seconds: float
    peak_kib: int
    received: int
    latencies: list[float]
    """Seconds from the first line of each message until smtpd may go on after its last."""

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for a message."""
        return self.cpu_seconds / self.messages * 1e6


def message(size: int) -> bytes:
    """A plausible message of about ``size`` bytes: what smtpd puts in front, header, text."""
    head = [
        b"Received: from mail.example.net (mail.example.net [192.0.2.7])",
        b"\tby example.com (OpenSMTPD) with ESMTPSA id 018a64ac (TLSv1.3:TLS_AES_256_GCM_SHA384)",
        b"\tfor <bob@example.org>;",
        b"\tSun, 22 Nov 2026 08:21:45 +0000 (UTC)",
        b"From: Alice Example <alice@example.com>",
        b"To: Bob Example <bob@example.org>",
        b"Subject: Minutes of the meeting and what to do next",
        b"Date: Sun, 22 Nov 2026 08:21:44 +0000",
        b"Message-ID: <20261122082144.018a64ac@example.com>",
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        b"",
    ]
    text = b"The quick brown fox jumps over the lazy dog, and then it goes home to sleep a bit %04d"
    lines, length = head, sum(map(len, head)) + len(head)
    while length < size:
        lines.append(text % (len(lines) % 10000) if len(lines) % 11 else b"")
        length += len(lines[-1]) + 1
    return b"\n".join(lines) + b"\n"


def wire(text: bytes, session: bytes) -> bytes:
    """The data-lines of a message, up to the final dot, as smtpd sends them."""
    prefix = b"filter|0.7|%s|smtp-in|data-line|%s|%s|" % (STAMP, session, DATA)
    return b"".join(prefix + line + b"\n" for line in [*text.splitlines(), b"."])


def cuts(lengths: list[int], order: Order, dice: random.Random) -> list[int]:
    """Return where the runs of a message end, in bytes: ``lengths`` are those of its lines."""
    ends, at = [0, *accumulate(lengths)], 0
    found = []
    while at < len(lengths):
        at = min(at + dice.randint(order.least, order.most), len(lengths))
        found.append(ends[at])
    return found


class _Sending:
    """A message on its way, and how much of it has been put among what is sent."""

    __slots__ = ("at", "cuts", "data")

    def __init__(self, data: bytes, runs: list[int]) -> None:
        self.data, self.at, self.cuts = data, 0, iter(runs)


class Load:
    """``total`` messages of one text, one in each of ``sessions`` sessions at a time."""

    def __init__(
        self, child: Child, text: bytes, total: int, sessions: int = 1, order: Order = WHOLE
    ) -> None:
        self.child, self.total, self.sessions = child, total, sessions
        blank = b"S" * 16
        whole = wire(text, blank)
        self._template = whole.split(blank)
        dice = random.Random("orders")
        lengths = [len(line) for line in whole.splitlines(keepends=True)]
        self._runs = [cuts(lengths, order, dice) for _ in range(sessions)]
        self._begun = self._ended = self._received = 0
        self._out = bytearray()
        self._sending: deque[_Sending] = deque()
        self._since: dict[bytes, float] = {}
        self._latencies: list[float] = []

    def _report(self, event: str, session: bytes, *fields: bytes) -> None:
        if self.child.report(event):
            line = b"|".join((event.encode(), session, *fields))
            self._out += b"report|0.7|%s|smtp-in|%s\n" % (STAMP, line)

    def _begin(self) -> None:
        session = b"%016x" % (0x1718C5E500000000 + self._begun)
        runs = self._runs[self._begun % self.sessions]
        self._begun += 1
        self._report("link-connect", session, b"localhost|pass|127.0.0.1:33891|127.0.0.1:25")
        self._report("tx-begin", session, b"018a64ac")
        self._sending.append(_Sending(session.join(self._template), runs))
        self._since[session] = time.perf_counter()

    def _fill(self) -> None:
        """Put runs of all messages among what is sent, one of each in turn."""
        out, sending = self._out, self._sending
        while sending and len(out) < AHEAD:
            each = sending.popleft()
            cut = next(each.cuts)
            out += each.data[each.at : cut]
            each.at = cut
            if cut < len(each.data):
                sending.append(each)

    def _commit(self, session: bytes) -> None:
        if self.child.asks("commit"):
            self._out += b"filter|0.7|%s|smtp-in|commit|%s|%s|\n" % (STAMP, session, COMMIT)
        else:
            self._end(session)

    def _end(self, session: bytes) -> None:
        self._latencies.append(time.perf_counter() - self._since.pop(session))
        self._report("tx-commit", session, b"018a64ac|2000")
        self._report("tx-reset", session, b"018a64ac")
        self._report("link-disconnect", session)
        self._ended += 1
        if self._begun < self.total:
            self._begin()

    def run(self) -> Run:
        """Drive it to the end, and end the filter."""
        seconds = self.drive()
        cpu, peak = self.child.close()
        return Run(self.total, seconds, cpu, peak, self._received, self._latencies)

    def drive(self) -> float:
        """Drive it to the end; return the seconds that this took."""
        started = time.perf_counter()
        for _ in range(min(self.sessions, self.total)):
            self._begin()
        link, tail = self.child.socket, b""
        while self._ended < self.total:
            self._fill()
            readable, writable, _ = select.select([link], [link] if self._out else [], [], 60)
            if not readable and not writable:
                raise SystemExit("the filter hangs")
            if writable:
                del self._out[: link.send(memoryview(self._out)[: 1 << 20])]
            if readable:
                tail = self._take(link.recv(1 << 20), tail)
        return time.perf_counter() - started

    def _take(self, data: bytes, tail: bytes) -> bytes:
        """Look for final dots and results; return what may be half a line."""
        if not data:
            raise SystemExit("the filter ended")
        self._received += len(data)
        data = tail + data
        cut = data.rfind(b"\n") + 1
        at = data.find(_DOT, 0, cut)
        while at >= 0:
            self._commit(data[at - 16 : at])
            at = data.find(_DOT, at + 1, cut)
        at = data.find(_RESULT, 0, cut)
        while at >= 0:
            session, _, decision = data[at + len(_RESULT) : data.index(b"\n", at)].split(b"|", 2)
            if decision != b"proceed":
                raise SystemExit(f"the filter answered {decision!r}")
            self._end(session)
            at = data.find(_RESULT, at + 1, cut)
        return data[cut:]


def measure(
    command: list[str], size: int, total: int, sessions: int = 1, order: Order = WHOLE
) -> Run:
    """Run ``command`` on ``total`` messages of ``size`` bytes."""
    return Load(Child(command), message(size), total, sessions, order).run()
