"""Play a capture again: what to send to a program next, and whether it answers as it did.

A line from which something was taken out is not sent, nor a message with such a line. Where the
capture itself has a gap, a session is left out up to its next beginning.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.capture.comparison import Comparison, answer_key
from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEnd,
    CaptureEntry,
    CaptureKind,
    CaptureLoss,
    Speaker,
)

KEYS_MAX = 1_000_000
"""Requests with a gap that are remembered."""
_BEGINNINGS = frozenset([b"link-connect", b"connect", b"tx-begin"])


class PlayStep(NamedTuple):
    """Lines to send, when all answers that were recorded before have been given."""

    time: float
    data: bytes


class SkippedKeys(NamedTuple):
    """The lines that are not sent: requests by their keys, and how many reports."""

    requests: frozenset[bytes]
    reports: int


def skipped(kind: CaptureKind, entries: Iterable[CaptureEntry]) -> SkippedKeys:
    """Return the requests from which something was taken out, or from their answers."""
    found: set[bytes] = set()
    reports = 0
    for entry in entries:
        if isinstance(entry, CapturedLines) and entry.hidden:
            line = entry.data[:-1]
            if entry.speaker is Speaker.SMTPD:
                key = request_key(kind, line)
                reports += line.startswith(b"report|")
            else:
                key = answer_key(kind, line)
            if key and len(found) < KEYS_MAX:
                found.add(key)
    return SkippedKeys(frozenset(found), reports)


class Play:
    """One performance. Give each line of the program to ``comparison.given``."""

    def __init__(
        self, kind: CaptureKind, entries: Iterable[CaptureEntry], skip: SkippedKeys, first: int = 1
    ) -> None:
        """``first`` is the number of the first file that is still there."""
        self.comparison = Comparison(kind, skip.requests)
        self.sent = 0
        """Requests that were sent."""
        self.lost = 0
        """Bytes that were not recorded."""
        self._kind = kind
        self._entries = entries
        self._skip = skip.requests
        self._cut = first > 1
        self._begun: set[bytes] = set()
        self._open: set[bytes] = set()
        """Requests whose recorded answers are still to come."""

    def steps(self) -> Iterator[PlayStep]:
        """Yield what to send. The first steps are the handshake, up to ``config|ready``."""
        for entry in self._entries:
            if isinstance(entry, CaptureLoss):
                self._lose(entry.size)
            elif isinstance(entry, CaptureEnd):
                return
            elif entry.speaker is Speaker.PLUGIN:
                for line in entry.data[:-1].split(b"\n"):
                    self._answer(line)
            elif not entry.hidden:
                lines = [line for line in entry.data[:-1].split(b"\n") if self._goes(line)]
                if lines:
                    yield PlayStep(entry.time, b"\n".join(lines) + b"\n")

    def finish(self) -> None:
        """Nothing comes any more: an answer that is missing is the difference, or one too many."""
        self.comparison.finish(self._open)

    def _goes(self, line: bytes) -> bool:
        """Return whether a line of smtpd's is sent."""
        if line.startswith(b"config|"):
            return True
        key = request_key(self._kind, line)
        if key in self._skip:
            return False
        if self._kind is CaptureKind.TABLE:
            self.sent += 1
            self._open.add(key)
            return True
        if not self._hears(line) or (self._cut and not self._in_session(line)):
            return False
        if key:
            self.sent += line.split(b"|", 5)[4] != b"data-line" or line.endswith(b"|.")
            self._open.add(key)
        return True

    def _hears(self, line: bytes) -> bool:
        kind, _, _, subsystem, event = (line.split(b"|", 5) + [b""] * 5)[:5]
        registered = self.comparison.registered
        if not self.comparison.ready:
            return True
        return (
            b"|".join((kind, subsystem, event)) in registered
            or b"|".join((kind, subsystem, b"*")) in registered
        )

    def _in_session(self, line: bytes) -> bool:
        """Return whether the session of a line has begun behind the gap."""
        fields = line.split(b"|", 7)
        event, session = fields[4], fields[5] if len(fields) > 5 else b""
        known = session in self._begun
        message = event == b"data-line" and fields[-1].startswith(b"Received: ")
        if event in _BEGINNINGS or event == b"tx-reset" or message:
            self._begun.add(session)
        if event == b"link-disconnect":
            self._begun.discard(session)
        return known or event in _BEGINNINGS or message

    def _answer(self, line: bytes) -> None:
        key = answer_key(self._kind, line)
        if key in self._open or not self._cut:
            self.comparison.recorded(line)
        if not line.startswith(b"filter-dataline|") or line.endswith(b"|."):
            self._open.discard(key)

    def _lose(self, size: int) -> None:
        self.lost += size
        self._cut = True
        self._begun.clear()
        for key in self._open:
            self.comparison.forget(key)
        self._open.clear()


def request_key(kind: CaptureKind, line: bytes) -> bytes:
    """Return the key of a request of smtpd's: session and token, or the id; ``b""`` for none."""
    if kind is CaptureKind.FILTER:
        fields = line.split(b"|", 7)
        return b"|".join(fields[5:7]) if fields[0] == b"filter" and len(fields) > 6 else b""
    fields = line.split(b"|", 7)
    if fields[0] != b"table" or len(fields) < 6:
        return b""
    return fields[5] if fields[4] == b"update" else fields[6] if len(fields) > 6 else b""
