"""Pass on what smtpd and a program say, as it comes; a copy goes into the capture.

A side that does not read is waited for by the other one, as without us: no more than one piece of
each direction is in our memory.
"""

import os
import select
import socket
import time
from collections.abc import Callable

from opensmtpd import log
from opensmtpd.capture.channel import CaptureChannel
from opensmtpd.capture.format import Speaker

_LAST = 0.5
"""Seconds in which what the program said last has to be taken, when it has ended."""


class _Flow:
    """One direction: from a descriptor to another one."""

    __slots__ = ("open", "pending", "source", "speaker", "target")

    def __init__(self, source: int, target: int, speaker: Speaker) -> None:
        self.source, self.target, self.speaker = source, target, speaker
        self.pending = memoryview(b"")
        self.open = True
        """False when the source has nothing more to say."""


class Pump:
    """Two directions, and the channel to the capture."""

    def __init__(self, stdin: int, stdout: int, program: int, channel: CaptureChannel) -> None:
        """``program`` is our end of the program's socket. All become non-blocking."""
        self._in = _Flow(stdin, program, Speaker.SMTPD)
        self._out = _Flow(program, stdout, Speaker.PLUGIN)
        self._channel = channel
        for fd in (stdin, stdout, program):
            os.set_blocking(fd, False)

    def wait(self, wake: int) -> None:
        """Pass on what there is; return when something was written to ``wake``."""
        while True:
            readers, writers = [wake], []
            for flow in (self._in, self._out):
                if flow.pending:
                    writers.append(flow.target)
                elif flow.open:
                    readers.append(flow.source)
            link = self._channel.link.fileno() if self._channel.link else -1
            if self._channel.short:
                readers.append(link)
            if self._channel.waiting:
                writers.append(link)
            readable, writable, _ = select.select(readers, writers, [])
            self._move(readable, writable)
            if link in readable:
                self._capture(self._channel.take_back)
            if link in writable:
                self._capture(self._channel.flush)
            if wake in readable:
                return

    def finish(self, status: int) -> None:
        """The program has ended: pass on what it said last, and let go of the capture."""
        until = time.monotonic() + _LAST
        while (self._out.open or self._out.pending) and time.monotonic() < until:
            if not self._out.pending:
                self._read(self._out)
                if not self._out.pending:
                    break
            if self._out.pending and not self._until(self._out.target, until):
                break
            self._flush(self._out)
        self._capture(self._channel.end, time.time(), status)
        while self._channel.link is not None and self._channel.waiting:
            if not self._until(self._channel.link.fileno(), until):
                break
            self._capture(self._channel.flush)
        self._channel.close()

    def _until(self, target: int, until: float) -> bool:
        """Wait for a descriptor that can be written to; return whether it can."""
        return bool(select.select([], [target], [], max(until - time.monotonic(), 0))[1])

    def _move(self, readable: list[int], writable: list[int]) -> None:
        for flow in (self._in, self._out):
            if flow.pending:
                if flow.target in writable:
                    self._flush(flow)
            elif flow.source in readable and flow.open:
                self._read(flow)

    def _read(self, flow: _Flow) -> None:
        """Read a piece, write what is taken of it at once, and then hand it to the capture."""
        buffer = self._channel.buffer()
        try:
            size = os.readv(flow.source, [buffer])
        except BlockingIOError:
            return
        except OSError:  # a connection that was reset
            size = 0
        if not size:
            self._end(flow)
            return
        flow.pending = buffer[:size]
        self._flush(flow)
        if flow.pending:  # the buffer will soon be another one's
            flow.pending = memoryview(bytes(flow.pending))
        self._capture(self._channel.say, time.time(), flow.speaker, size)

    def _capture(self, call: Callable[..., object], *arguments: object) -> None:
        """Have the capture told. Whatever goes wrong there ends it, and nothing else."""
        try:
            call(*arguments)
        except Exception as error:  # no memory, say
            self._channel.close()
            log.log("capture-failed", reason=type(error).__name__)

    def _flush(self, flow: _Flow) -> None:
        try:
            flow.pending = flow.pending[os.write(flow.target, flow.pending) :]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads it: the writer is to know
            flow.pending = memoryview(b"")
            flow.open = False
            _shut(flow.source, socket.SHUT_RD)

    def _end(self, flow: _Flow) -> None:
        """One side says no more: tell the other one."""
        flow.open = False
        _shut(flow.target, socket.SHUT_WR)


def _shut(fd: int, how: int) -> None:
    """Shut one direction of a socket down; there is nothing to shut where it is none."""
    copy = os.dup(fd)
    try:
        with socket.socket(fileno=copy) as end:
            copy = -1
            end.shutdown(how)
    except OSError:
        if copy >= 0:
            os.close(copy)
