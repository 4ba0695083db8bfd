"""The blocking loop of tables: read, answer, write, while no answer has to be waited for."""

import os
import select
import time
from collections.abc import Callable
from typing import TypeVar

from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd._runtime.loop import NO_ROOM, PAUSE
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import SmtpdGone

T = TypeVar("T")

READ = 16 * 1024
"""Bytes of one read: many requests."""


class _TimerLeftJob(Exception):
    """Raised where a timer's run is a coroutine, or a function for a thread."""


def serve_blocking(
    connection: TableConnection, stdin: int, stdout: int, watchdog: Watchdog
) -> None:
    """Serve until there is a job to wait for. Raises SmtpdGone, and VersionError at start.

    smtpd asks and waits, so there is nothing to poll for: a lookup costs one read and one write.
    Only a table that has timers polls before it reads.
    """
    dispatcher = connection.dispatcher
    read: Callable[[int, int], bytes] = os.read
    if dispatcher.timers is not None:
        read = _timed_read(dispatcher, stdin, watchdog)
    while not connection.busy:
        try:
            data = _patiently(read, stdin, READ)
        except OSError:
            data = b""
        except _TimerLeftJob:
            return
        if not data:
            raise SmtpdGone
        watchdog.watch()
        connection.receive(data, time.monotonic())
        rest = _patiently(connection.data_to_send)
        while rest:
            try:
                rest = rest[_patiently(os.write, stdout, rest) :]
            except OSError:
                raise SmtpdGone from None


def _patiently(call: Callable[..., T], *args: object) -> T:
    """Return the result of a call, which is made again where the system has no memory for it."""
    while True:
        try:
            return call(*args)
        except MemoryError:
            pass
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
        time.sleep(PAUSE)


def _timed_read(
    dispatcher: Dispatcher, stdin: int, watchdog: Watchdog
) -> Callable[[int, int], bytes]:
    """Return ``os.read`` with timers: they run when they are due, while it waits.

    It raises _TimerLeftJob.
    """
    poll = select.poll()
    poll.register(stdin, select.POLLIN)

    def wait() -> float:
        due = dispatcher.next_deadline()
        assert due is not None
        return min(due - time.monotonic(), 3600.0)

    def read(stdin: int, size: int) -> bytes:
        while True:
            if wait() <= 0:
                watchdog.watch()
                dispatcher.expire(time.monotonic())
                if len(dispatcher.pending):
                    raise _TimerLeftJob
            # Once for each round: a timer that is always due must not keep smtpd waiting.
            if poll.poll(max(0.0, wait()) * 1000 + 1):
                return os.read(stdin, size)

    return read
