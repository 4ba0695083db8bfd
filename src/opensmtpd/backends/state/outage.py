"""A store that is away: a log line when it begins and one at the end, and rests in between."""

import time
from collections.abc import Callable

from opensmtpd.backends.network.server import PAUSE, PAUSE_MAX
from opensmtpd.log import log


class Outage:
    """Says whether a store is to be asked. After a failure it is not, for a while.

    Then one step is tried, and the others wait for its end with the next rest.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``name`` is for the log."""
        self._name, self._clock = name, clock
        self._pause = 0.0
        self._rests_until = 0.0
        self._trying = False
        self._unknown = 0

    def asks(self) -> bool:
        """Return whether a step may be taken now; then ``failed`` or ``answered`` is to follow."""
        if not self._pause:
            return True
        if self._trying or self._clock() < self._rests_until:
            self._unknown += 1
            return False
        self._trying = True
        return True

    def failed(self, reason: object) -> None:
        """Take note that a step failed."""
        self._unknown += 1
        now = self._clock()
        if self._pause and now < self._rests_until:
            return  # it was asked before the rest began
        if not self._pause:
            log("state-away", store=self._name, reason=reason)
        self._trying = False
        self._pause = min(PAUSE_MAX, self._pause * 2 or PAUSE)
        self._rests_until = now + self._pause

    def answered(self) -> None:
        """Take note that a step was taken."""
        if self._pause:
            log("state-back", store=self._name, unknown=self._unknown)
            self._pause, self._trying = 0.0, False
        self._unknown = 0
