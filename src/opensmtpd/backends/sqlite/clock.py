"""The time that a query may take.

SQLite asks between its instructions whether to go on. A single instruction may never end, though:
one counts all rows of a table, and in a damaged file pages can lead to the same pages again and
again. Within an instruction SQLite runs no Python, and looks at nothing but the mark that an
interrupt leaves. Therefore a thread interrupts what still runs when its time is up.
"""

import functools
import signal
import sqlite3
import threading
from _queue import Empty, SimpleQueue  # queue takes 0.5 ms
from contextlib import suppress
from time import monotonic

STEPS = 100
"""Instructions of SQLite's machine between two looks at the clock: a lookup takes some 20."""
PAUSE = 0.1
"""Seconds between two looks at whether another query with less time runs now."""


class Clock:
    """The time at which the current query of a connection is to be interrupted.

    The connection refers to its clock, and the clock not to it: a circle would keep its memory.
    """

    def __init__(self, *, interrupts: bool = True) -> None:
        """``interrupts`` is False in a process that is killed when its time is up: no thread."""
        self._end = 0.0  # over, until it is started
        self._interrupter = _interrupter() if interrupts else None

    def start(self, seconds: float, connection: sqlite3.Connection | None = None) -> None:
        """Give the next query so much time; without a connection, it is about to be opened."""
        self._end = monotonic() + seconds
        if connection is not None and self._interrupter is not None:
            self._interrupter.watch(connection, self._end)

    @staticmethod
    def rest() -> None:
        """End the thread until the next query, for a process that is about to confine itself.

        On Linux, a thread keeps the files that it had when it was started.
        """
        _interrupter().rest()

    def stop(self) -> None:
        """Interrupt no query before the next start."""
        if self._interrupter is not None:
            self._interrupter.query = None

    def watch(self, connection: sqlite3.Connection) -> None:
        """Interrupt this connection from now on; the clock has been started."""
        if self._interrupter is not None:
            self._interrupter.watch(connection, self._end)
        # Python code that is run while a query is: there the watchdog can strike, too.
        connection.set_progress_handler(self.is_over, STEPS)

    def is_over(self) -> bool:
        """Return whether the time is up. Called by SQLite now and then."""
        return monotonic() > self._end


class _Interrupter:
    """A thread that interrupts queries. An idle process does not wake up for it.

    A signal may raise an exception anywhere in ``watch``: there is no lock in it that could stay
    locked, and no mark that could stay set.
    """

    def __init__(self) -> None:
        self.query: tuple[sqlite3.Connection, float] | None = None
        """The query that runs, and when it is to be interrupted; None where none does."""
        self._thread: threading.Thread | None = None
        self._begin()

    def _begin(self) -> None:
        self._told: SimpleQueue[bool] = SimpleQueue()
        """True for a query that has begun, False for the end of the thread."""
        self._resting: SimpleQueue[bool] = SimpleQueue()
        """True for the end of a thread that waits for the end of a query."""
        queues = (self._told, self._resting)
        thread = threading.Thread(target=self._run, args=queues, daemon=True, name="interrupter")
        thread.start()
        self._thread = thread

    def rest(self) -> None:
        """End the thread until the next query, at once: smtpd waits for the start of a table."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._told.put(False)
            self._resting.put(True)
            thread.join()

    def watch(self, connection: sqlite3.Connection, end: float) -> None:
        """Interrupt the query that begins now if it still runs at ``end``."""
        self.query = connection, end
        if self._thread is None:
            self._begin()
        if self._told.empty():
            self._told.put(True)

    def _run(self, told: SimpleQueue[bool], resting: SimpleQueue[bool]) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while told.get():
            while (query := self.query) and (left := query[1] - monotonic()) > 0:
                with suppress(Empty):
                    resting.get(timeout=min(left, PAUSE))
                    return
            if query is not None and query is self.query:
                with suppress(sqlite3.ProgrammingError):  # it is closed
                    query[0].interrupt()  # nothing, if no query runs


@functools.cache
def _interrupter() -> _Interrupter:
    return _Interrupter()
