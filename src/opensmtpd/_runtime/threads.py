"""Threads for jobs that release the GIL, and a pipe that gets a byte when one has ended."""

import contextlib
import os
import signal
import threading
from _queue import SimpleQueue  # queue takes 0.5 ms
from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from opensmtpd._protocol.jobs import Job
from opensmtpd.log import log

End: TypeAlias = tuple[Job, BaseException | None, object]
"""A job, its exception or None, and its result."""


STUCK_MAX = 32
"""Threads that are replaced while they hang; each keeps its memory until the process ends."""


def block_signals() -> None:
    """Have no signal come to this thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Block all signals inside the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Threads:
    """A pool of threads: one for each processor and one more, four at the most.

    The extra thread runs while another waits for the interpreter lock. The first thread starts with
    ``open``, the others when they are first needed. A thread whose job is past its deadline is
    replaced by another, up to STUCK_MAX times, so that a job that hangs does not stop the others.

    ``wake`` is the descriptor of a non-blocking pipe that gets a byte when a job has ended.
    """

    def __init__(self, wake: int) -> None:
        self._wake = wake
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._ends: deque[End] = deque()
        self._woken = False
        self._count = 0
        self._limit = min(4, (os.cpu_count() or 1) + 1)
        self._running: set[Job] = set()
        self._stuck = 0

    def open(self) -> None:
        """Start the first thread, before smtpd is served: what fails later fails a message.

        Where the system has no thread to give now, it is asked again for each job.
        """
        with contextlib.suppress(RuntimeError):
            self._add()

    def _add(self) -> None:
        """Start a thread. Raises RuntimeError where the system has none to give."""
        thread = threading.Thread(target=self._run, name="offload", daemon=True)
        # A thread takes over the mask. Signals are for the thread that waits for smtpd.
        with signals_blocked():
            thread.start()
        self._count += 1

    def start(self, job: Job, now: float) -> None:
        """Have a thread run ``job``; ``now`` is the time on the clock of its deadline."""
        stuck = min(self.stuck(now), STUCK_MAX)
        if stuck > self._stuck:
            log("threads-stuck", count=stuck, reason="work that never returns")
            self._stuck = stuck
        if self._count < self._limit + self._stuck:
            try:
                self._add()
            except (RuntimeError, MemoryError) as error:  # the system has no thread to give
                if not self._count:
                    self._ends.append((job, error, None))
                    self._wake_up()
                    return
        self._queue.put(job)

    def stuck(self, now: float) -> int:
        """Return how many threads run a job that is past its deadline."""
        return sum(each.deadline < now for each in tuple(self._running))

    def finished(self) -> Iterator[End]:
        """Yield the jobs that have ended since the last call, each with its end."""
        self._woken = False  # before the first look: a job that ends from now on wakes anew
        while self._ends:
            yield self._ends[0]
            self._ends.popleft()  # not before: where memory ends meanwhile, it comes again

    def _run(self) -> None:
        while True:
            try:
                self._run_next()
            except BaseException:  # no memory for the end of a job: it will be late
                continue

    def _run_next(self) -> None:
        job = self._queue.get()
        if not job.cancelled:
            self._ends.append(self._end(job))
            self._wake_up()

    def _wake_up(self) -> None:
        if not self._woken:
            self._woken = True
            with contextlib.suppress(BlockingIOError):  # a full pipe wakes as it is
                os.write(self._wake, b"\0")

    def _end(self, job: Job) -> End:
        try:
            assert callable(job.task)
            self._running.add(job)
            return (job, None, job.task())
        except BaseException as error:  # a thread that ends would leave its jobs unanswered
            return (job, error, None)
        finally:
            self._running.discard(job)
