"""The limits that are known to be exceeded: what they would refuse later is refused at once."""

import time
from collections.abc import Callable
from itertools import islice

from opensmtpd.mail.limit.charges import Charge

KNOWN_MAX = 10_000
"""Limits that are remembered, at most; the oldest are forgotten, and asked for again."""


class Overdrawn:
    """When each limit allows one more unit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[str, ...], float] = {}

    def note(self, charge: Charge, seconds: float) -> None:
        """Take note that a limit allows one more unit in so many seconds, and not before."""
        key = tuple(charge.key)
        self._until.pop(key, None)
        self._until[key] = self._clock() + seconds
        for each in list(islice(self._until, max(0, len(self._until) - KNOWN_MAX))):
            del self._until[each]

    def left(self, charge: Charge) -> float:
        """Return the seconds until a limit allows one more unit, 0.0 where it may do so now."""
        until = self._until.get(tuple(charge.key))
        if until is None:
            return 0.0
        left = until - self._clock()
        if left <= 0:
            del self._until[tuple(charge.key)]
        return max(0.0, left)
