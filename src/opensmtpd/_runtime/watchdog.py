"""Interrupts a plain call that blocks, because smtpd waits for it, and all mail with it."""

import signal
from types import FrameType

from opensmtpd._counters import process
from opensmtpd._counters.counts import count
from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd.errors import HandlerTimeout
from opensmtpd.log import tell_left_out

STALL = 5.0
"""Seconds that a plain call may run at the most. It is interrupted after half of them, or later."""
RELOAD_STALL = 60.0
"""Seconds that a start, a reload or an update may run: it reads all data, which takes longer."""
_RELOADS = frozenset(["reload", "start", "update"])


class Watchdog:
    """Raises HandlerTimeout in a call that is found running twice, or for too long.

    The timer is started by the first call and stops when it finds none, so that neither a call
    costs a system call nor an idle process wakes up. It also ends the seconds of the log's limit,
    and writes the counts for filter-metrics: the last ones, too, before the process is idle.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._armed = False
        self._seen = self._looks = -1
        signal.signal(signal.SIGALRM, self._look)

    def watch(self) -> None:
        """Start the timer if it does not run: a call is about to begin."""
        if not self._armed:
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, STALL / 2, STALL / 2)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        dispatcher = self._dispatcher
        process.write()
        if dispatcher.running is None:
            if not tell_left_out():
                self._armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
        elif dispatcher.count != self._seen:
            self._seen, self._looks = dispatcher.count, 0
        else:
            self._looks += 1
            limit = RELOAD_STALL if dispatcher.running in _RELOADS else STALL
            if self._looks * STALL / 2 < limit / 2:
                return
            self._seen = -1  # should the call swallow this, it gets the next one later
            count("opensmtpd_plugin_deadlines_missed")
            at = f" in line {frame.f_lineno} of {frame.f_code.co_filename}" if frame else ""
            raise HandlerTimeout(f"{dispatcher.running} blocked for {limit:g} s{at}")
