"""Finds out when the resolver's process is stopped: a name server may be silent as well."""

import time
from collections.abc import Iterable

from opensmtpd.dns.resolver.orders import ALIVE
from opensmtpd.log import log
from opensmtpd.worker import Pool
from opensmtpd.worker.open_request import Settlement

EVERY = 0.2
"""Seconds between two requests to the process, while it has questions."""
WITHIN = 0.7
"""Seconds after which a process that has not answered is replaced, the first time."""
WITHIN_MAX = 5.6
"""Seconds after which it is replaced when the processes before it were late, too.

The machine may be at fault: each process that is late soon after another is given twice the time.
"""
SOON = 60.0
"""Seconds between two late processes after which the second is given no more time than the first.
"""


class Heartbeat:
    """Asks the process whether it is alive, while it is asked other things."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asked: float | None = None
        """When it was asked what it has not answered, or when it last replied since then."""
        self._answered = 0.0
        self._within = WITHIN
        self._late: float | None = None
        """When the last process was late."""

    def next_deadline(self, busy: bool) -> float | None:
        """Return the time when ``beat`` is to be called; ``busy``: questions have no reply yet."""
        if self._asked is not None:
            return self._asked + self._within
        return self._answered + EVERY if busy else None

    def beat(self, now: float, busy: bool) -> Iterable[Settlement]:
        """Ask, or replace the process that has not answered: its questions are asked again."""
        due = self.next_deadline(busy)
        if due is None or now < due:
            return ()
        if self._asked is None:
            if self._late is not None and now - self._late >= SOON:
                self._late, self._within = None, WITHIN
            self._asked = now
            self._pool.ask([ALIVE]).on_end(self._end)
            return ()
        self._asked = None
        self._answered = self._late = now
        log("resolver-late", seconds=f"{self._within:g}")
        self._within = min(2 * self._within, WITHIN_MAX)
        return self._pool.replace()

    def seen(self, now: float) -> None:
        """Take note that a reply has come: a process with many questions is late, and alive."""
        if self._asked is not None:
            self._asked = now

    def _end(self, *_: object) -> None:
        self._asked, self._answered = None, time.monotonic()
