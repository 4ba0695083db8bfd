"""smtpd's end of a plugin: talk to the program, and end it. Bytes and time only.

One socket pair is the program's standard input and output.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from opensmtpd_cli.plugin.start import Program, start
from opensmtpd_cli.system.signals import signals_held_back

_READ = 65536
_GRACE = 1.0
"""Seconds that a plugin has to exit when smtpd hangs up; an idle one needs none of it."""
_MORE = 0.02
"""Seconds in which a second answer would come."""
_LOOK = 0.5
"""Seconds between two looks at whether a silent program is there."""
_LOG_LEFT = 64
"""Pieces of its log that are read at once: it may write without end."""
_LOG_LINE = 65536
"""Bytes of a line of its log that fit into smtpd's buffer, which then reads no more of the log."""


class Talk:
    """A running plugin. Use it in ``with``: whatever happens, the program is ended."""

    def __init__(self, program: Program, *, timeout: float, log: Callable[[bytes], None]) -> None:
        """Start it. ``log`` gets each line that it writes to stderr. Raises OSError."""
        self._timeout = timeout
        self._log = log
        self._unread = self._unlogged = b""
        self._status: int | None = None
        self._ended = False
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(timeout)
        self._stderr, their_stderr = program.log_ends()
        self._watched: list[Any] = [self._socket, self._stderr]
        started = False
        try:
            with signals_held_back():
                self._process = start(program, theirs.fileno(), their_stderr)
                started = True
        except BaseException:
            if started:  # and a signal came meanwhile
                self.end()
            else:
                self._socket.close()
                os.close(self._stderr)
            raise
        finally:
            theirs.close()
            os.close(their_stderr)

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    # --- line by line ---------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write all of it. Raises EOFError if the program is gone, TimeoutError if it is stuck."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None

    def line(self) -> bytes:
        """Return the next line, without its line feed.

        Raises EOFError at the end, TimeoutError when none came in time.
        """
        deadline = time.monotonic() + self._timeout
        while b"\n" not in self._unread:
            if not self._take(deadline):
                break
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def more(self) -> bool:
        """Return whether something follows a line, within 20 ms."""
        with suppress(EOFError, TimeoutError):
            if not self._unread:
                self._take(time.monotonic() + _MORE)
        return bool(self._unread)

    # --- both ways at once ----------------------------------------------------------------------

    def swap(self, data: memoryview, deadline: float) -> tuple[int, bytes]:
        """Wait a while for the program to take some of ``data``, to say something, or to log.

        Returns how many bytes it took, and what it said. Raises EOFError where it has hung up or
        ended, TimeoutError at the deadline.
        """
        taken, said = 0, b""
        writers = [self._socket] if data else []
        readable, writable = self._wait_for(writers, deadline, at_most=_LOOK)
        if not readable and not writable and self._process.poll() is not None:
            raise EOFError  # though a child of it has the socket still: smtpd sees it all the same
        if readable:
            said = self._received()
            if not said:
                raise EOFError
        if writable:
            try:
                taken = self._socket.send(data)
            except (BrokenPipeError, ConnectionResetError):
                if not said:  # else what it said last comes first
                    raise EOFError from None
        return taken, said

    def log_so_far(self) -> None:
        """Pass on what it has written to stderr, the start of a line too."""
        for _ in range(_LOG_LEFT):
            if not select.select(self._watched[1:], [], [], 0)[0]:
                break
            self._take_log()
        if self._unlogged:
            self._log(self._unlogged)
            self._unlogged = b""

    # --- the end --------------------------------------------------------------------------------

    def end(self) -> int | None:
        """Hang up as smtpd does, and see that the program ends.

        Returns its exit status, negative for the number of a signal; None if it had to be killed.
        """
        if self._ended:
            return self._status
        self._ended = True
        self._socket.close()
        try:
            self._status = self._wait(time.monotonic() + _GRACE)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._end_log()
        return self._status

    def _wait(self, deadline: float) -> int | None:
        while self._process.poll() is None and time.monotonic() < deadline:
            if select.select(self._watched[1:], [], [], 0.01)[0]:
                self._take_log()
        return self._process.poll()

    # --- what comes in --------------------------------------------------------------------------

    def _take(self, deadline: float) -> bool:
        """Wait for bytes of either kind; False at an end behind which a line is left."""
        if not self._wait_for([], deadline)[0]:
            return True
        data = self._received()
        self._unread += data
        if not data and not self._unread:
            raise EOFError
        return bool(data)

    def _wait_for(
        self, writers: list[Any], deadline: float, at_most: float = 3600
    ) -> tuple[bool, bool]:
        """Wait; return whether the program says something, and whether it takes something."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        readable, writable, _ = select.select(self._watched, writers, [], min(left, at_most))
        if self._stderr in readable:
            self._take_log()
        return self._socket in readable, bool(writable)

    def _received(self) -> bytes:
        try:
            return self._socket.recv(_READ)
        except ConnectionResetError:
            return b""

    def _take_log(self) -> None:
        """Take a piece of what is on stderr: there must be one, or its end."""
        try:
            data = os.read(self._stderr, _READ)
        except ConnectionResetError:
            data = b""
        *lines, self._unlogged = (self._unlogged + data).split(b"\n")
        for line in lines:
            self._log(line)
        if not data or len(self._unlogged) >= _LOG_LINE:
            self._watched.remove(self._stderr)

    def _end_log(self) -> None:
        self.log_so_far()
        os.close(self._stderr)
        self._watched = []
