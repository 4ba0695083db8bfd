"""Moves bytes between smtpd and a connection: descriptors, signals and the clock are touched here.

Standard input and output are one socket pair with smtpd at the other end. Reading never waits for
writing: bytes that smtpd does not take yet stay queued.
"""

import errno
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import CoroutineType
from typing import Protocol, TypeVar

from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.failures import place
from opensmtpd._protocol.jobs import Job
from opensmtpd._runtime.polling import Poll
from opensmtpd._runtime.reload import Reload
from opensmtpd._runtime.sources import Sources
from opensmtpd._runtime.threads import Threads
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import SmtpdGone, VersionError
from opensmtpd.log import log

T = TypeVar("T")

READ = 128 * 1024
"""Bytes of one read: less than may be there, so that threads can begin on the first messages."""
WRITE = 256 * 1024
"""Bytes to write before the next read: a large message must not keep it waiting.
"""

PAUSE = 0.05
"""Seconds to wait where the system has no memory."""
NO_ROOM = frozenset([errno.ENOMEM, errno.ENOBUFS])
"""Errors of read(2) and write(2) where the system has no memory for the bytes at this moment."""


class Served(Protocol):
    """The part of a connection that the loop needs: see FilterConnection and TableConnection."""

    dispatcher: Dispatcher

    def receive(self, data: bytes, now: float) -> None: ...
    def data_to_send(self) -> bytes: ...


class Loop:
    """Moves bytes between smtpd and a connection, and runs the jobs that handlers leave.

    ``reload`` is called on SIGHUP; without it the signal stays as it is.
    """

    def __init__(
        self,
        connection: Served,
        stdin: int,
        stdout: int,
        watchdog: Watchdog,
        reload: Callable[[], object] | None = None,
    ) -> None:
        self.connection = connection
        self.dispatcher = connection.dispatcher
        self.stdin, self.stdout = stdin, stdout
        self.watchdog = watchdog
        self.wake, wake = os.pipe()
        self._wake = wake
        self.threads = Threads(wake)
        self.coroutines: deque[Job] = deque()
        self.reload = Reload(reload, self.dispatcher, self.threads, watchdog)
        self.sources = Sources(self.dispatcher, watchdog)
        self._unread = b""
        """Bytes from smtpd that the connection has not taken yet, for want of memory."""
        self._data = b""
        self._sent = 0
        """Bytes for smtpd, and how many of them it has taken."""
        self._watching = False
        """True while the poll is told to say when smtpd takes bytes."""
        for fd in (self.wake, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def begin(self) -> None:
        """Wait for smtpd in a poll only from now on: neither a read nor a write waits."""
        self.sources = Sources(self.dispatcher, self.watchdog)
        for fd in (self.stdin, self.stdout):
            os.set_blocking(fd, False)

    def guarded(self, call: Callable[..., T], *args: object, otherwise: T) -> T:
        """Return the result of ``call``, or ``otherwise`` if it raises: that is a bug of ours.

        The bug is logged, and the mail server goes on. Raises VersionError, and MemoryError: the
        loop waits for memory then.
        """
        try:
            return call(*args)
        except VersionError:
            raise
        except Exception as error:
            log("internal-error", error=type(error).__name__, at=place(error))
            self.dispatcher.log_traceback(error)
            if isinstance(error, MemoryError):
                raise
            return otherwise

    # --- smtpd --------------------------------------------------------------------------------

    def read(self) -> None:
        """Take bytes from smtpd. Raises SmtpdGone at their end, and MemoryError, as ``step``."""
        try:
            data = os.read(self.stdin, READ)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in NO_ROOM:
                raise MemoryError from None
            data = b""
        if not data:
            raise SmtpdGone
        self._unread = data
        self._receive()

    def _receive(self) -> None:
        """Give bytes that were read to the connection. Raises MemoryError, and then they stay."""
        self.watchdog.watch()
        self.guarded(self.connection.receive, self._unread, time.monotonic(), otherwise=None)
        self._unread = b""

    def write(self) -> bool:
        """Send bytes that wait, WRITE at the most; return whether more wait. Raises SmtpdGone."""
        sent = 0
        while sent < WRITE:
            if self._sent == len(self._data):
                self._data = self.guarded(self.connection.data_to_send, otherwise=b"")
                self._sent = 0
                if not self._data:
                    return False
            try:
                count = os.write(self.stdout, memoryview(self._data)[self._sent :])
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno in NO_ROOM:
                    raise MemoryError from None
                raise SmtpdGone from None
            self._sent += count
            sent += count
        return True

    # --- jobs ---------------------------------------------------------------------------------

    def drain_wake(self) -> None:
        """Empty the pipe through which signals and threads wake the loop."""
        while True:
            try:
                if len(os.read(self.wake, 4096)) < 4096:
                    break
            except BlockingIOError:
                break

    def step(self) -> bool:
        """Do all that follows from an event; return whether bytes wait to be written.

        Raises MemoryError, and then it is to be called again: nothing is lost.
        """
        if self._unread:
            self._receive()
        for job, error, result in self.threads.finished():
            if error is None:
                self.guarded(self.dispatcher.resolve, job, result, otherwise=None)
            else:
                self.guarded(self.dispatcher.fail, job, error, otherwise=None)
        deadline = self.dispatcher.next_deadline()
        if deadline is not None and deadline <= time.monotonic():
            self.watchdog.watch()
            self.guarded(self.dispatcher.expire, time.monotonic(), otherwise=None)
        self.sources.expire()
        if self.reload.is_due():
            self.reload.begin()
        for job in self.dispatcher.take_jobs():
            try:
                self._start(job)
            except Exception as error:  # no memory: the others must start
                self._fail(job, error)
        self.sources.flush()
        return self.write()

    def _start(self, job: Job) -> None:
        if isinstance(job.task, CoroutineType):
            self.coroutines.append(job)
        else:
            self.threads.start(job, time.monotonic())

    def _fail(self, job: Job, error: Exception) -> None:
        """Refuse a job that cannot run, at once or, where memory ends, when it is late."""
        with suppress(MemoryError):
            self.guarded(self.dispatcher.fail, job, error, otherwise=None)

    def rest(self) -> None:
        """Wait where there is no memory, and have ``step`` called again, by a byte in the pipe."""
        time.sleep(PAUSE)
        with suppress(BlockingIOError):  # a full pipe wakes as it is
            os.write(self._wake, b"\0")

    def refuse_coroutines(self, error: Exception) -> None:
        """Refuse the coroutines that wait: there is no asyncio loop to run them, for ``error``."""
        while self.coroutines:
            job = self.coroutines.popleft()
            assert not callable(job.task)
            job.task.close()
            self._fail(job, error)

    def timeout(self) -> float | None:
        """Return the seconds until the next deadline, None for no deadline."""
        deadline = self.sources.next_deadline(self.dispatcher.next_deadline())
        return None if deadline is None else min(max(0.0, deadline - time.monotonic()), 3600.0)

    def serve(self) -> None:
        """Serve until smtpd is gone, or until there is a coroutine to run."""
        self.begin()
        poll = Poll()
        poll.register(self.wake, select.POLLIN)
        poll.register(self.stdin, select.POLLIN)
        for fd in self.sources.descriptors():
            poll.register(fd, select.POLLIN)
        self._watching = False
        short = False
        while not self.coroutines or short:
            try:
                if short:
                    self.rest()
                short = False
                self._turn(poll)
            except MemoryError:
                short = True  # and nothing more: it would take memory

    def _turn(self, poll: Poll) -> None:
        """Do what there is to do, then wait for the next event, unless there is a coroutine."""
        waiting = self.step()
        if waiting != self._watching:
            self._watch(poll, waiting)
            self._watching = waiting
        if self.coroutines:
            return
        timeout = self.timeout()
        for fd, event in poll.poll(None if timeout is None else timeout * 1000 + 1):
            if fd == self.wake:
                self.drain_wake()
            elif fd == self.stdin:
                if event & ~select.POLLOUT:
                    self.read()
            else:
                self.sources.receive(fd)

    def _watch(self, poll: Poll, writable: bool) -> None:
        out = select.POLLOUT if writable else 0
        if self.stdin == self.stdout:
            poll.register(self.stdin, select.POLLIN | out)
        elif writable:
            poll.register(self.stdout, out)
        else:
            poll.unregister(self.stdout)
