"""The recorded answers of a program beside those that it gives now, request by request.

Answers to different requests may come in any order; those to one request, the lines of a message
say, keep theirs.
"""

from collections import deque
from collections.abc import Collection
from typing import NamedTuple

from opensmtpd.capture.format import CaptureKind

HELD_MAX = 1 << 26
"""Bytes of answers that wait for their counterparts, at most."""


class Difference(NamedTuple):
    """The first answer that is another one. A line is None where there is none."""

    recorded: bytes | None
    given: bytes | None


class Comparison:
    """Takes both sides of answers, in any order between the two; lines are without line feeds."""

    def __init__(self, kind: CaptureKind, skipped: Collection[bytes]) -> None:
        """``skipped`` are keys of requests whose answers are not compared."""
        self.difference: Difference | None = None
        self.equal = 0
        """Answers that were the same."""
        self.registered: set[bytes] = set()
        self.ready = False
        """True when the program has said all that it registers."""
        self._kind = kind
        self._skipped = skipped
        self._recorded: dict[bytes, deque[bytes]] = {}
        self._given: dict[bytes, deque[bytes]] = {}
        self._forgotten: set[bytes] = set()
        self._held = 0

    @property
    def waiting(self) -> bool:
        """True while a recorded answer has not been given."""
        return bool(self._recorded) and self.difference is None

    def recorded(self, line: bytes) -> None:
        """Take an answer of the capture."""
        if not line.startswith(b"register|"):
            self._take(line, self._recorded, self._given)

    def given(self, line: bytes) -> None:
        """Take an answer of the program."""
        if not line.startswith(b"register|"):
            self._take(line, self._given, self._recorded)
        elif line == b"register|ready":
            self.ready = True
        elif len(self.registered) < 1000:
            self.registered.add(line.removeprefix(b"register|"))

    def forget(self, key: bytes) -> None:
        """Compare no answer to this request any more: the rest of it was not recorded."""
        for held in (self._recorded, self._given):
            self._held -= sum(map(len, held.pop(key, ())))
        self._forgotten.add(key)

    def missing(self) -> None:
        """No answer comes any more: where one is waited for, this is the difference."""
        for recorded in self._recorded.values():
            self.difference = self.difference or Difference(recorded[0], None)

    def finish(self, unanswered: Collection[bytes]) -> None:
        """Nothing comes any more, and these requests had not been answered when smtpd hung up."""
        self.missing()
        for key, given in self._given.items():
            if key not in unanswered:
                self.difference = self.difference or Difference(None, given[0])

    def _take(
        self, line: bytes, mine: dict[bytes, deque[bytes]], others: dict[bytes, deque[bytes]]
    ) -> None:
        key = answer_key(self._kind, line)
        if self.difference or key in self._skipped or key in self._forgotten:
            return
        other = others.get(key)
        if other is None:
            mine.setdefault(key, deque()).append(line)
            self._held += len(line)
            if self._held > HELD_MAX:
                self.finish(())
            return
        counterpart = other.popleft()
        self._held -= len(counterpart)
        if not other:
            del others[key]
        if counterpart == line:
            self.equal += 1
        elif mine is self._given:
            self.difference = Difference(counterpart, line)
        else:
            self.difference = Difference(line, counterpart)


def answer_key(kind: CaptureKind, line: bytes) -> bytes:
    """Return the key of the request that a line answers: session and token, or the id."""
    fields = line.split(b"|", 3)[1:3]
    return b"|".join(fields if kind is CaptureKind.FILTER else fields[:1])
