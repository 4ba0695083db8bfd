"""Hand judged messages to the process that counts them; this waits for nothing, and never fails.

No SQLite is loaded here: the process of ``worker`` has it.
"""

import time
from collections.abc import Callable

from opensmtpd.log import log
from opensmtpd.mail.dmarc.reports.record import JudgedMessage
from opensmtpd.worker import Pool

WORKER = "opensmtpd.mail.dmarc.reports.worker:ReportsWorker"
DEADLINE = 30.0
"""Seconds until a request has failed: a worker that waits for a lock answers before."""
WINDOW = 100
"""Messages that the process has at a time: it counts these in one transaction."""
QUIET = 1.0
"""Seconds between two log lines about messages that are not kept."""

clock: Callable[[], float] = time.monotonic


class ReportKeeper:
    """Keeps judged messages for reports, in a process of its own."""

    def __init__(self, path: str, *, new: bool = True) -> None:
        """Start the process with the database at ``path``. Raises ConfigError.

        It makes the file where it is missing, unless it is not to be ``new``: the file would
        belong to whoever only checks a configuration.
        """
        self._pool = Pool(WORKER, [path, new], deadline=DEADLINE, window=WINDOW)
        self._lost = 0
        self._told_at = -QUIET

    def keep(self, message: JudgedMessage) -> None:
        """Have a message counted, some time soon. What fails is a log line."""
        self._pool.ask([message]).on_end(self._end)

    def _end(self, _reply: object, error: BaseException | None) -> None:
        if error is None:
            return
        self._lost += 1
        now = clock()
        if now - self._told_at >= QUIET:
            log("reports-lost", messages=self._lost, reason=error)
            self._lost, self._told_at = 0, now

    def close(self) -> None:
        """End the process."""
        self._pool.close()
