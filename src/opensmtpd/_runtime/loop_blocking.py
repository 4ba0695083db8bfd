"""The blocking loop of tables: read, answer, write, while no answer has to be waited for."""

import os
import select
import struct
import time
from collections.abc import Callable
from typing import TypeVar

from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd._runtime.loop import NO_ROOM, PAUSE
from opensmtpd._runtime.polling import Poll
from opensmtpd._runtime.sources import Sources
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import SmtpdGone

T = TypeVar("T")

READ = 16 * 1024
"""Bytes of one read: many requests."""
BREATH = 0.01
"""Seconds in which only smtpd is read from; the workers wait so long at the most, or twice that.

A stem that dies is to be replaced before the other one does: then no process is left to do it.
"""


class _TimerLeftJob(Exception):
    """Raised where a timer's run is a coroutine, or a function for a thread."""


def serve_blocking(
    connection: TableConnection, stdin: int, stdout: int, watchdog: Watchdog
) -> None:
    """Serve until there is a job to wait for. Raises SmtpdGone, and VersionError at start.

    smtpd asks and waits, so there is nothing to poll for: a lookup costs one read and one write.
    Only a table that has timers, or workers, polls before it reads, and that not while smtpd asks
    one thing after another.
    """
    dispatcher = connection.dispatcher
    read: Callable[[int, int], bytes] = os.read
    sources = Sources(dispatcher, watchdog)
    if dispatcher.timers is not None or sources.descriptors():
        read = _polling_read(dispatcher, sources, stdin, watchdog)
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


def _polling_read(
    dispatcher: Dispatcher, sources: Sources, stdin: int, watchdog: Watchdog
) -> Callable[[int, int], bytes]:
    """Return ``os.read`` with timers and sources: what is due is done while it waits.

    It raises _TimerLeftJob.
    """
    poll = Poll()
    request = [(stdin, select.POLLIN)]
    bounded = dispatcher.timers is None and _bound_reads(stdin)
    busy = False
    """True while the last read had a request."""
    looked = 0.0
    """The time of the last look at all descriptors."""
    for fd in (stdin, *sources.descriptors()):
        poll.register(fd, select.POLLIN)

    def milliseconds(due: float) -> float:
        return max(0.0, min(due - time.monotonic(), 3600.0)) * 1000 + 1

    def run_timers() -> None:
        due = dispatcher.next_deadline()
        if due is not None and due <= time.monotonic():
            watchdog.watch()
            dispatcher.expire(time.monotonic())
            if len(dispatcher.pending):
                raise _TimerLeftJob

    def read(stdin: int, size: int) -> bytes:
        nonlocal busy, looked
        busy = busy and time.monotonic() < looked + BREATH
        if busy and dispatcher.timers is None and sources.next_deadline(None) is None:
            try:
                return os.read(stdin, size)
            except BlockingIOError:  # nothing came for BREATH
                busy = False
        while True:
            timeout = None
            if sources.next_deadline(dispatcher.next_deadline()) is not None:
                run_timers()
                sources.expire()
                # Once for each round: a timer that is always due must not keep smtpd waiting.
                due = sources.next_deadline(dispatcher.next_deadline())
                timeout = None if due is None else milliseconds(due)
            ready = poll.poll(timeout)
            looked = time.monotonic()
            if ready == request:  # and nothing else, which is most often
                busy = bounded
                return os.read(stdin, size)
            for fd, _ in ready:
                sources.receive(fd)
            if any(fd == stdin for fd, _ in ready):
                return os.read(stdin, size)

    return read


def _bound_reads(stdin: int) -> bool:
    """Have a read of a socket give up after BREATH; return False for what is none."""
    import socket  # noqa: PLC0415  a program with workers has it; in the sandbox no other gets it

    try:
        with socket.fromfd(stdin, socket.AF_UNIX, socket.SOCK_STREAM) as smtpd:
            timeval = struct.pack("@ll", 0, int(BREATH * 1e6))
            smtpd.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    except OSError:  # a pipe, another struct timeval, or OpenBSD, where pledge(2) refuses it
        return False
    return True
