"""Hard bounds of what one process takes on, and the log lines that say that one is reached.

No option changes them: each is far above what a mail server has to do, and keeps memory bounded.
"""

from collections.abc import Callable

from opensmtpd.errors import Unavailable

SESSIONS_MAX = 10_000
"""Sessions that a filter knows at once; another one is answered 421 until it ends."""
PENDING_MAX = 20_000
"""Answers that take time and are waited for at once; another one fails, as at its deadline.

smtpd asks one thing at a time in a session, so those of PENDING_MAX that are no answers to a client
are coroutines that reports have left.
"""
_PAUSE = 1.0


class Crowded(Unavailable):
    """There are PENDING_MAX answers that are waited for. A Complaint says so in the log."""


class Complaint:
    """A log line about a bound that is reached: one a second, at most.

    ``log`` is as ``opensmtpd.log.log``.
    """

    def __init__(self, log: Callable[..., None], event: str, limit: int) -> None:
        self._log, self._event, self._limit = log, event, limit
        self._next = float("-inf")
        self._count = 0

    def make(self, now: float) -> None:
        """Count one more that was refused, and say so. ``now`` is on any monotonic clock."""
        self._count += 1
        if now >= self._next:
            self._log(self._event, count=self._count, limit=self._limit)
            self._next, self._count = now + _PAUSE, 0
