"""smtpd's end of a table: starts the program as smtpd does, and ends it. Bytes and time only.

Source: ``fork_proc_backend`` in ``smtpd.c``: one socket pair is the program's standard input and
output, ``argv[0]`` is the table's name and ``argv[1]`` the path.
"""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pwd import struct_passwd
from typing import Any

from opensmtpd.operator.programs import TableLine

_READ = 65536
_GRACE = 1.0
"""Seconds that a table has to exit when smtpd hangs up; an idle one needs none of it."""
_MORE = 0.02
"""Seconds in which a second answer would come."""
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
"""A table gets that of smtpd, which is started at boot with little more. That of the operator may
hold what no unprivileged user should see, and settings that smtpd does not have."""


class Talk:
    """A running table program. Use it in ``with``: whatever happens, the program is ended."""

    def __init__(
        self,
        line: TableLine,
        program: str,
        *,
        timeout: float,
        user: struct_passwd | None,
        log: Callable[[bytes], None],
    ) -> None:
        """Start it. ``log`` gets each line that it writes to stderr. Raises OSError."""
        self._timeout = timeout
        self._log = log
        self._unread = self._unlogged = b""
        self._status: int | None = None
        self._socket, theirs = socket.socketpair()
        self._stderr, their_stderr = os.pipe()
        self._watched: list[Any] = [self._socket, self._stderr]
        try:
            self._process = subprocess.Popen(
                [line.name, *([line.path] if line.path else [])],
                executable=program,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=their_stderr,
                cwd="/",
                env=_ENVIRONMENT,
                process_group=0,  # what it starts itself is ended with it
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=os.getgrouplist(user.pw_name, user.pw_gid) if user else None,
            )
        except BaseException:
            self._socket.close()
            os.close(self._stderr)
            raise
        finally:
            theirs.close()
            os.close(their_stderr)
        self._socket.settimeout(timeout)

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

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
        """Whether something follows a line, now or at once."""
        with suppress(EOFError, TimeoutError):
            if not self._unread:
                self._take(time.monotonic() + _MORE)
        return bool(self._unread)

    def end(self) -> int | None:
        """Hang up as smtpd does, and see that the program ends.

        Returns its exit status, negative for the number of a signal; None if it had to be killed.
        """
        if self._process.returncode is not None:
            return self._status
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
            select.select(self._watched[1:], [], [], 0.01)
            self._take_log()
        return self._process.poll()

    def _take(self, deadline: float) -> bool:
        """Wait for bytes of either kind; False at an end behind which a line is left."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        ready = select.select(self._watched, [], [], left)[0]
        if self._stderr in ready:
            self._take_log()
        if self._socket not in ready:
            return True
        try:
            data = self._socket.recv(_READ)
        except ConnectionResetError:
            data = b""
        self._unread += data
        if not data and not self._unread:
            raise EOFError
        return bool(data)

    def _take_log(self) -> None:
        """Take what is on stderr, without waiting."""
        while self._stderr in select.select(self._watched[1:], [], [], 0)[0]:
            data = os.read(self._stderr, _READ)
            if not data:
                self._watched.remove(self._stderr)
            *lines, self._unlogged = (self._unlogged + data).split(b"\n")
            for line in lines:
                self._log(line)

    def _end_log(self) -> None:
        self._take_log()
        if self._unlogged:
            self._log(self._unlogged)
        os.close(self._stderr)
