"""A server that may be away: asked within a time, and not at all for a while after it failed."""

import time
from collections.abc import Callable, Sequence

from opensmtpd.backends.network.connection import Asker, Fault, ServerQuestion, ServerReply
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.log import log

PAUSE, PAUSE_MAX = 0.5, 4.0
"""Seconds without a question after a failure: the first, and the most, with each twice as many."""


class TimedServer:
    """Asks through an Asker. While the server is away, most questions fail at once."""

    def __init__(
        self,
        asker: Asker,
        name: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``name`` is for the log, ``timeout`` in seconds."""
        self.asker = asker
        self._name, self._timeout, self._clock = name, timeout, clock
        self._pause = 0.0
        self._rests_until = 0.0

    def until(self) -> float:
        """Return the time when a question that comes now must have its reply."""
        return self._clock() + self._timeout

    def ask(
        self, questions: Sequence[ServerQuestion], until: float | None = None
    ) -> list[ServerReply]:
        """Return the replies, by ``until``. Raises Unavailable: ServerLost while it is away."""
        now = self._clock()
        if self._pause and now < self._rests_until:
            raise ServerLost(f"{self._name}: away, asked again in {self._rests_until - now:.1f} s")
        try:
            replies = self.asker.ask(questions, now + self._timeout if until is None else until)
        except ServerRefused:
            self._answered()
            raise
        except BaseException as error:  # a bug, too, must not cost the time of each question
            self.failed(error)
            raise
        if self._pause:
            self._answered()
        return replies

    def check(self, seconds: float) -> list[Fault]:
        """Return what the server finds wrong with the configuration, whether it rests or not.

        Raises Unavailable; the caller decides whether ``failed`` is to take note of it.
        """
        return self.asker.check(self._clock() + seconds)

    def close(self) -> None:
        """Close the connection."""
        self.asker.close()

    def _answered(self) -> None:
        if self._pause:
            self._pause = 0.0
            log("server-back", server=self._name)

    def failed(self, error: BaseException) -> None:
        """Take note that the server is away: a pause begins."""
        if not self._pause:
            log("server-away", server=self._name, reason=error)
        self._pause = min(PAUSE_MAX, self._pause * 2 or PAUSE)
        self._rests_until = self._clock() + self._pause
