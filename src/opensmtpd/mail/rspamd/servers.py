"""The order in which several rspamd are asked: one that failed is asked last for a while."""

import time
from collections.abc import Callable, Collection, Sequence

from opensmtpd.log import log

PAUSE, PAUSE_MAX = 5.0, 60.0
"""Seconds that a server rests after a failure: the first time, and at most, each time twice as
long. When they are over, one message tries it, and others go on as before."""


class RspamdServers:
    """The servers by their index, and which of them are away."""

    def __init__(self, names: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        """``names`` are for the log."""
        self._names, self._clock = names, clock
        self._pauses = [0.0] * len(names)
        """Seconds that each rests, 0 for one that is not away."""
        self._until = [0.0] * len(names)
        self._changed = [0.0] * len(names)
        """The times when each was last found to be away, or back."""

    def __len__(self) -> int:
        """Return their number."""
        return len(self._names)

    def name(self, index: int) -> str:
        """Return the text for the log."""
        return self._names[index]

    def best(self, tried: Collection[int]) -> int:
        """Return the server to ask next, without those of ``tried``, which are not all.

        Where all rest, it is the first one nevertheless: there may be nobody else to ask.
        """
        now = self._clock()
        left = [index for index in range(len(self._names)) if index not in tried]
        index = next((each for each in left if not self._rests(each, now)), left[0])
        if self._pauses[index]:
            self._until[index] = now + self._pauses[index]
        return index

    def _rests(self, index: int, now: float) -> bool:
        return self._pauses[index] > 0 and now < self._until[index]

    def failed(self, index: int, reason: object, asked: float) -> None:
        """Take note that a server is away.

        ``asked`` is the time when it was asked. Many may have asked it at the same time: the first
        failure of them counts.
        """
        if asked < self._changed[index]:
            return
        self._changed[index] = self._clock()
        if not self._pauses[index]:
            log("server-away", server=self._names[index], reason=reason)
        self._pauses[index] = min(PAUSE_MAX, self._pauses[index] * 2 or PAUSE)
        self._until[index] = self._clock() + self._pauses[index]

    def answered(self, index: int) -> None:
        """Take note that a server has answered."""
        if self._pauses[index]:
            self._pauses[index] = 0.0
            self._changed[index] = self._clock()
            log("server-back", server=self._names[index])
