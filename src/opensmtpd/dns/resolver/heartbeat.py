"""Finds out when the resolver's process is stopped: a name server may be silent as well."""

import time
from collections.abc import Iterable

from opensmtpd.dns.resolver.orders import ALIVE
from opensmtpd.log import log
from opensmtpd.worker import Pool
from opensmtpd.worker.open_request import Settlement

EVERY = 0.5
"""Seconds between two requests to the process, while it has questions."""
WITHIN = 3.0
"""Seconds after which one that has not answered is replaced."""


class Heartbeat:
    """Asks the process whether it is alive, while it is asked other things."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asked: float | None = None
        """When it was asked what it has not answered."""
        self._answered = 0.0

    def next_deadline(self, busy: bool) -> float | None:
        """Return the time when ``beat`` is to be called; ``busy``: questions have no reply yet."""
        if self._asked is not None:
            return self._asked + WITHIN
        return self._answered + EVERY if busy else None

    def beat(self, now: float, busy: bool) -> Iterable[Settlement]:
        """Ask, or replace the process that has not answered: its questions are asked again."""
        due = self.next_deadline(busy)
        if due is None or now < due:
            return ()
        if self._asked is None:
            self._asked = now
            self._pool.ask([ALIVE]).on_end(self._end)
            return ()
        self._asked = None
        self._answered = now
        log("resolver-late", seconds=f"{WITHIN:g}")
        return self._pool.replace()

    def _end(self, *_: object) -> None:
        self._asked, self._answered = None, time.monotonic()
