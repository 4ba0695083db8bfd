"""smtpd itself, running inside a view."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab.root.inside import CHROOT
from lab.root.namespace import SERVER4
from lab.root.plugin import LIBEXEC


class ServerError(Exception):
    """smtpd did not start, or has died: the text ends with its log."""


class Server:
    """``with Server(view) as server:`` runs ``smtpd -d`` under chroot with an empty environment."""

    def __init__(
        self,
        view: Path,
        conf: str = "/etc/mail/smtpd.conf",
        address: str = SERVER4,
        within: Sequence[str] = (),
    ) -> None:
        """``within`` goes before the command: it may enter a network of its own."""
        self.view = view
        self.conf = conf
        self.address = address
        """Where it listens on port 25."""
        self.log = view / "smtpd.log"
        self.survivors: list[int] = []
        """Plugins that had to be killed because they did not end with smtpd."""
        self._within = within
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*self._within, CHROOT, self.view, "/usr/sbin/smtpd", "-d", "-f", self.conf],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={}, cwd="/",
            )  # fmt: skip
        try:
            self._wait_until_it_listens()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_it_listens(self, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while True:
            self.check()
            try:
                # The greeting comes after the filters have registered: only then is it up.
                with socket.create_connection((self.address, 25), timeout=seconds) as client:
                    if client.recv(3) == b"220":
                        return
            except OSError:
                pass
            if time.monotonic() > end:
                raise ServerError(f"smtpd does not listen after {seconds} s\n{self.tail()}")
            time.sleep(0.05)

    def check(self) -> None:
        """Raise ServerError if smtpd has died."""
        if not self.alive():
            raise ServerError(f"smtpd has died\n{self.tail()}")

    def alive(self) -> bool:
        """Tell whether smtpd's first process runs; it ends when any other of its kind does."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of smtpd's first process; 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    def tail(self, lines: int = 30) -> str:
        """Return the end of smtpd's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def filters(self, program: str = "filter-dkimsign") -> list[int]:
        """Return the process ids of the running filters of that name."""
        return self._plugins(f"/{program}\0")

    def tables(self) -> list[int]:
        """Return the process ids of the running tables."""
        return self._plugins("/table-")

    def plugins(self) -> list[int]:
        """Return the process ids of all running filters and tables, not of delivery agents."""
        return sorted(self._plugins("/filter-") + self._plugins("/table-"))

    def _plugins(self, name: str) -> list[int]:
        """Return those of a name; a copy that one has just made of itself has its name, too."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes()
                    root = (entry / "root").readlink()
                    status = (entry / "stat").read_bytes()
                except OSError:  # it has ended
                    continue
                if root == self.view and f"\0/{LIBEXEC}{name}".encode() in command:
                    parents[int(entry.name)] = int(status.rpartition(b")")[2].split()[1])
        return sorted(pid for pid, parent in parents.items() if parent not in parents)

    def restart(self) -> None:
        """Stop it, if it runs, and start it anew. Raises ServerError."""
        self.stop()
        self.__enter__()

    def stop(self) -> None:
        """End smtpd and wait for it. What might survive ends with the process namespace."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        end = time.monotonic() + 5
        while self.plugins() and time.monotonic() < end:  # smtpd's death is their EOF
            time.sleep(0.02)
        self.survivors = self.plugins()
        for pid in self.survivors:
            os.kill(pid, signal.SIGKILL)
        self._process = None
