"""A server in a view of a root: its life, which tests end, stop and begin again."""

import itertools
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from lab.chaos.processes import tree
from lab.peers.databases import tls
from lab.root import inside
from lab.root.namespace import view

TLS = "etc/lab-tls"
"""Where a view has the certificates: ``server.pem`` is the one that the server shows."""
START_SECONDS = 60.0
_numbers = itertools.count()
HALTED = {"T", "t", "Z", "X"}
"""States of threads, as ``/proc`` has them, that do nothing; Z are those that nobody buries."""


class DatabaseError(Exception):
    """A server did not start or stop: the text ends with its log."""


class DatabaseServer(ABC):
    """``with PostgresServer(root) as server:`` runs a server until the end.

    ``root`` is the root with smtpd 7.6 (``need_stage("7.6").root``). Only one of each kind may run
    with an address: they listen on their usual ports.
    """

    name: ClassVar[str]
    user: ClassVar[str]
    """The server's, in the view."""
    port: ClassVar[int]
    tls_port: ClassVar[int]
    """For TLS from the first byte; the same as ``port`` where there is none."""
    folder: ClassVar[str]
    """Of the unix socket, inside the view."""
    socket_name: ClassVar[str]
    ending: ClassVar[signal.Signals] = signal.SIGTERM
    """Ends the server in order, at once."""

    def __init__(self, root: Path, *, address: str = "127.0.0.1") -> None:
        self.address = address
        self.view = view(root, f"{self.name}-{next(_numbers)}")
        self.log = self.view.with_name("log")
        self._process: subprocess.Popen[bytes] | None = None
        inside.done(self.view, "mkdir", "-p", self.folder, f"/{TLS}")
        inside.done(self.view, "chown", f"{self.user}:", self.folder)
        tls.write(self.view / TLS, (*tls.NAMES, address))
        self._show("right")
        self._lay_out()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill9()

    @abstractmethod
    def _lay_out(self) -> None:
        """Write what the server needs besides what its package has brought."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return how the server is started, inside its view."""

    @abstractmethod
    def _answers(self) -> bool:
        """Ask the server something."""

    @property
    def socket(self) -> Path:
        """The unix socket, as this process sees it."""
        return self.view / self.folder[1:] / self.socket_name

    @property
    def ca(self) -> Path:
        """The certificate of who signed the server's, as this process sees it."""
        return self.view / TLS / "ca.pem"

    @property
    def stranger_ca(self) -> Path:
        """That of somebody else."""
        return self.view / TLS / "stranger-ca.pem"

    def share(self, other: Path) -> str:
        """Have another view see the folder of the unix socket; returns the path of the socket
        there, which is the one in the view of the server.
        """
        place = other / self.folder[1:]
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", self.view / self.folder[1:], place], check=True)
        return f"{self.folder}/{self.socket_name}"

    def present(self, certificate: str) -> None:
        """Show a certificate of ``tls.CERTIFICATES`` from now on. It restarts the server."""
        self._show(certificate)
        self.restart()

    def _show(self, certificate: str) -> None:
        shown = self.view / TLS / "server.pem"
        shown.unlink(missing_ok=True)
        shutil.copy(self.view / TLS / f"{certificate}.pem", shown)
        inside.done(self.view, "chown", f"{self.user}:", f"/{TLS}/server.pem")
        shown.chmod(0o600)

    @property
    def running(self) -> bool:
        """Tell whether the first process of the server is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    def pids(self) -> list[int]:
        """Return all processes of the server, the first one first."""
        return tree(self._process.pid) if self._process and self.running else []

    def start(self) -> None:
        """Start it, and wait until it answers. Raises DatabaseError."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [inside.CHROOT, self.view, *self._command()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=inside.ENVIRONMENT,
            )  # fmt: skip
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > end:
                raise DatabaseError(f"{self.name} does not start\n{self.tail()}")
            time.sleep(0.02)

    def tail(self, lines: int = 20) -> str:
        """Return the end of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End it in order: connections are closed, nobody listens. Raises DatabaseError."""
        self.resume()
        if self._process is not None and self.running:
            self._process.send_signal(self.ending)
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                raise DatabaseError(f"{self.name} does not end\n{self.tail()}") from None

    def kill9(self) -> None:
        """End all its processes at once."""
        pids = self._stopped()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        while any(_states(pid) - {"Z"} for pid in pids):
            time.sleep(0.005)

    def pause(self) -> None:
        """Stop all its processes: what is connected stays, and nothing is answered."""
        self._stopped()

    def _stopped(self) -> list[int]:
        """Stop them, and those that were begun meanwhile."""
        stopped: list[int] = []
        while new := [pid for pid in self.pids() if pid not in stopped]:
            for pid in new:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped += new
            while not all(_states(pid) <= HALTED for pid in new):
                time.sleep(0.001)
        return stopped

    def resume(self) -> None:
        """Let its processes go on."""
        for pid in reversed(self.pids()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def restart(self) -> None:
        """End it in order and start it."""
        self.stop()
        self.start()

    def heal(self) -> None:
        """Bring it back from whatever a test did to its processes and its certificate."""
        self.resume()
        if (self.view / TLS / "server.pem").read_bytes() != (
            self.view / TLS / "right.pem"
        ).read_bytes():
            self.present("right")
        if not self.running:
            self.start()

    def run(self, *command: str, given: str = "", user: str | None = None) -> str:
        """Run a command in the view, as root or ``user``; returns what it prints.

        Raises inside.CommandError.
        """
        as_user = ("setpriv", f"--reuid={user}", "--clear-groups", "--") if user else ()
        return inside.done(self.view, *as_user, *command, given=given)


def _states(pid: int) -> set[str]:
    """Return the states of the threads of a process; none where it has gone."""
    found = set()
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found.add((task / "stat").read_text().rpartition(")")[2].split()[0])
    return found
