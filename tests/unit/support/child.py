"""A filter as a process, and smtpd's end of its socket pair."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from unit.support.talk import HELLO

PATIENCE = 20.0
"""Seconds until a test gives up: a safety net, nothing is measured by it."""

PREAMBLE = """
import asyncio, os, sys, time
from opensmtpd import log as log_module, run
from opensmtpd._runtime import watchdog
from opensmtpd.errors import *
from opensmtpd.filter import *
from opensmtpd.log import log
from opensmtpd.options import filter_parser
from opensmtpd.answer import *
from opensmtpd.timers import every
"""
MAIN = """
run.filter(lambda options: Some(), filter_parser("filter-x", "A filter."))
"""


class Child:
    """Starts a filter from source text as smtpd does: one socket pair is its stdin and stdout."""

    def __init__(self, folder: Path, source: str, *argv: str, main: str = MAIN) -> None:
        script = folder / "filter.py"
        script.write_text(PREAMBLE + source + main)
        self._begin([sys.executable, str(script), *argv])

    def _begin(self, command: list[str], **environment: str) -> None:
        self.socket, theirs = socket.socketpair()
        errors, their_errors = socket.socketpair()
        self.process = subprocess.Popen(
            command,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=their_errors.fileno(),
            env={**os.environ, **environment},
        )
        theirs.close()
        their_errors.close()
        self.socket.settimeout(PATIENCE)
        errors.settimeout(PATIENCE)
        self.errors = errors.makefile("r", encoding="utf-8")
        errors.close()
        self.unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.errors.close()

    def hello(self) -> bytes:
        """Shake hands; return what was registered."""
        self.send(HELLO)
        return self.until(b"register|ready\n")

    def send(self, *lines: bytes) -> None:
        """Write all of it."""
        self.socket.sendall(b"".join(lines))

    def until(self, end: bytes) -> bytes:
        """Read up to ``end``."""
        while end not in self.unread:
            data = self.socket.recv(65536)
            assert data, f"end of file after {self.unread[-500:]!r}"
            self.unread += data
        at = self.unread.index(end) + len(end)
        answer, self.unread = self.unread[:at], self.unread[at:]
        return answer

    def lines(self, count: int = 1) -> list[bytes]:
        """Read lines."""
        return [self.until(b"\n") for _ in range(count)]

    def log(self) -> str:
        """Read a line of the log."""
        return self.errors.readline().rstrip("\n")

    def hang_up(self) -> None:
        """Send SIGHUP."""
        os.kill(self.process.pid, signal.SIGHUP)

    def end(self) -> tuple[int, bytes, str]:
        """Close smtpd's end for writing; return the status, the rest of the output and the log."""
        self.socket.shutdown(socket.SHUT_WR)
        return self.wait()

    def wait(self) -> tuple[int, bytes, str]:
        """Wait for the process to end."""
        status = self.process.wait(PATIENCE)
        while data := self.socket.recv(65536):
            self.unread += data
        return status, self.unread, self.errors.read()
