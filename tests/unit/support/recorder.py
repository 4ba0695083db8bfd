"""smtpd's end of a program that is recorded: the recorder is a process, as under smtpd."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

FOREVER = 30.0
"""Seconds; only a test that fails waits so long."""


def script(path: Path, text: str) -> str:
    """Write a program in Python; return its path. It has no time to lose with ``site``."""
    path.write_text(f"#!{sys.executable} -IS\nimport os, signal, sys, time\n{text}\n")
    path.chmod(0o755)
    return str(path)


class Recorded:
    """A program behind a recorder. Use it in ``with``."""

    def __init__(self, capture: Path, *command: str, options: Sequence[str] = ()) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(FOREVER)
        recorder = [sys.executable, "-m", "opensmtpd_filters.record", *options, str(capture)]
        with theirs:
            self.process = subprocess.Popen(
                [*recorder, "--", *command],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
            )

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        try:
            self.process.wait(FOREVER)
        finally:
            self.process.kill()
            self.process.communicate()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self, size: int) -> bytes:
        """Return so many bytes of the program, or less at its end."""
        data = b""
        while len(data) < size and (more := self.socket.recv(size - len(data))):
            data += more
        return data

    def end(self) -> tuple[int, str]:
        """Hang up; return the status, and the log."""
        self.socket.shutdown(socket.SHUT_WR)
        while self.socket.recv(1 << 16):
            pass
        self.socket.close()
        _, log = self.process.communicate(timeout=FOREVER)
        return self.process.returncode, log.decode()

    def children(self) -> list[int]:
        """Return the processes of the recorder: the program, and the writer."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def child(self, word: str) -> int:
        """Return the process with a word in its title; wait until there is one."""
        until = time.monotonic() + FOREVER
        while time.monotonic() < until:
            for pid in self.children():
                title = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if any(word.encode() in each for each in title):
                    return pid
            time.sleep(0.01)
        raise AssertionError(f"no process {word}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def written(path: Path, text: bytes) -> bytes:
    """Return a capture's bytes when ``text`` is among them: it is written a little later."""
    until = time.monotonic() + FOREVER
    data = b""
    while text not in data:
        assert time.monotonic() < until, f"{text!r} is not in {data[-1000:]!r}"
        time.sleep(0.01)
        data = path.read_bytes() if path.exists() else b""
    return data


def stopped(pid: int) -> bool:
    """Return whether a process is stopped by SIGSTOP."""
    return b") T " in Path(f"/proc/{pid}/stat").read_bytes()
