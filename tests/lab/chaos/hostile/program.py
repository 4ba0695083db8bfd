"""A filter or a table that runs as a child, on a socket pair, as under smtpd."""

import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.chaos.processes import tree

SIZE = 1 << 17
PATIENCE = 90.0
"""Seconds after which a program that owes an answer hangs: its own deadline is 60."""


class ProgramError(Exception):
    """A program did what stops smtpd, or hangs."""


class Program:
    """``with Program(words) as program:`` runs one; ``words`` are its name and its arguments."""

    def __init__(self, words: Sequence[str], hear: Callable[[bytes], None], log: Path) -> None:
        """``hear`` takes what the program writes."""
        place = Path(sys.executable).with_name(words[0])
        self._command = [str(place), *words[1:]]
        self._hear = hear
        self._log = log
        self._process: subprocess.Popen[bytes]
        self._end: socket.socket

    def __enter__(self) -> "Program":
        self._end, theirs = socket.socketpair()
        with theirs, open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=log, cwd="/"
            )
        self._end.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()
        try:
            status = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise ProgramError("it outlives smtpd") from None
        if status:
            raise ProgramError(f"exit status {status}\n{self.log_tail()}")

    def log_tail(self) -> str:
        """Return the end of what it logged."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def carry(self, data: bytes) -> None:
        """Send bytes, and hear what comes meanwhile. Raises ProgramError, Fatal."""
        left = memoryview(data)
        end = time.monotonic() + PATIENCE
        while left:
            for _, event in self._poll(select.POLLIN | select.POLLOUT, end):
                if event & ~select.POLLOUT:
                    self._read()
                elif event & select.POLLOUT:
                    left = left[self._end.send(left[:SIZE]) :]
        while select.select([self._end], [], [], 0)[0]:
            self._read()

    def wait(self) -> None:
        """Wait for the program to write something. Raises ProgramError, Fatal."""
        self._poll(select.POLLIN, time.monotonic() + PATIENCE)
        self._read()

    def _poll(self, events: int, end: float) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._end, events)
        ready = poll.poll(max(0.0, end - time.monotonic()) * 1000)
        if not ready:
            raise ProgramError(f"it hangs\n{self.log_tail()}")
        return ready

    def _read(self) -> None:
        try:
            data = self._end.recv(SIZE)
        except ConnectionError:
            data = b""
        if not data:
            raise ProgramError(f"it has ended\n{self.log_tail()}")
        self._hear(data)

    def memory(self) -> int:
        """Return the bytes of memory that it and the processes behind it take (PSS)."""
        return sum(map(_pss, tree(self._process.pid)))


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024
