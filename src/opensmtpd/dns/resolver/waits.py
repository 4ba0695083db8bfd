"""The handlers that wait for replies: each until it has all of them, or until its time is over."""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from opensmtpd.answer import Deferred
from opensmtpd.dns.question import Question, Reply

GRAIN = 0.05
"""Seconds: waits whose time is over within the same so many end together."""
FOR_EVER = 1e12
TURN = 100
"""Waits that end in one turn of the loop: smtpd is listened to in between."""


class Wait:
    """A wait for the replies to some questions. ``until`` is a time of the monotonic clock."""

    __slots__ = ("deferred", "missing", "questions", "replies", "until")

    def __init__(self, questions: Sequence[Question], until: float) -> None:
        self.questions = questions
        self.until = until
        self.missing = dict.fromkeys(questions)
        self.replies: dict[Question, Reply] = {}
        self.deferred: Deferred[list[Reply]] = Deferred()

    def take(self, question: Question, reply: Reply) -> None:
        """Take the reply to a question."""
        self.missing.pop(question, None)
        self.replies[question] = reply

    def settle(self) -> None:
        """End, with all replies."""
        self.deferred.settle([self.replies[question] for question in self.questions])


class Waits:
    """All waits that have not ended.

    ``leave`` is called with a wait whose time is over: it takes replies for all that is missing.
    """

    def __init__(self, leave: Callable[[Wait], None]) -> None:
        self._leave = leave
        self._until: dict[int, dict[Wait, None]] = {}
        """The waits by the time at which they end, in units of GRAIN."""
        self._times: list[int] = []
        """A heap of these times."""
        self._ready: deque[Wait] = deque()

    def add(self, wait: Wait) -> None:
        """Have a wait end in time."""
        time = _grain(wait)
        waits = self._until.get(time)
        if waits is None:
            waits = self._until[time] = {}
            heapq.heappush(self._times, time)
        waits[wait] = None

    def end(self, wait: Wait) -> None:
        """Have a wait that has all its replies end soon."""
        self.drop(wait)
        self._ready.append(wait)

    def drop(self, wait: Wait) -> None:
        """Forget a wait."""
        self._until.get(_grain(wait), {}).pop(wait, None)

    def next_deadline(self) -> float | None:
        """Return the time when ``expire`` is to be called."""
        if self._ready:
            return 0.0
        while self._times and not self._until[self._times[0]]:
            del self._until[heapq.heappop(self._times)]
        return self._times[0] * GRAIN if self._times else None

    def expire(self, now: float) -> None:
        """End the waits whose time is over."""
        while self._times and self._times[0] * GRAIN <= now:
            for wait in self._until.pop(heapq.heappop(self._times)):
                self._leave(wait)
                self._ready.append(wait)

    def ended(self) -> Iterator[Callable[[], object]]:
        """Yield the ends that are due in this turn: see ``answer.Source``."""
        for _ in range(min(TURN, len(self._ready))):
            yield self._ready.popleft().settle


def _grain(wait: Wait) -> int:
    return math.ceil(min(wait.until, FOR_EVER) / GRAIN)
