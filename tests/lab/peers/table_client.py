"""Speaks to a table program as smtpd does, and dies of the same answers (``table_proc.c``)."""

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from lab.root.inside import CHROOT
from lab.root.plugin import LIBEXEC
from lab.root.root import loaded

SERVICES = (
    "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname",
    "mailaddrmap", "relayhost", "string", "regex", "auth",
)  # fmt: skip
"""All that smtpd knows (``table_service_name`` in ``table.c``)."""
STAMP = b"1795335705.127288"


IGNORING = ("/bin/sh", "-c", 'trap "" HUP INT QUIT PIPE TERM; exec "$@"', "table")
"""Signals that smtpd has its tables ignore from the start."""


class Died(Exception):
    """The program ended (its argument is the exit code): under smtpd this stops all mail."""


class Illegal(Exception):
    """The program wrote what smtpd dies of: its argument is the line."""


def original(root: Path, program: str) -> list[str]:
    """Return how a C program of ``root`` is started from outside, to see our files."""
    return loaded(root, f"{LIBEXEC}/{program}")


def in_view(view: Path, program: str, user: str = "opensmtpd") -> list[str]:
    """Return how a program of a view is started there, with the user of smtpd's tables.

    ``program`` is ours where ``plugin.install`` has been; the one in C is then called
    ``table-ldap.c-original``. The path of its configuration is the one inside the view.
    """
    clean = ("/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
    return [CHROOT, f"--userspec={user}:{user}", str(view), *clean, f"/{LIBEXEC}/{program}"]


def ours(program: str) -> list[str]:
    """Return how our program of that name is started, from this run's virtual environment."""
    return [str(Path(sys.executable).with_name(program))]


class TableClient:
    """``with TableClient(ours("table-sqlite"), "/path") as table:``; keys and answers are bytes.

    Answers are what follows the id: ``found|VALUE``, ``not-found``, ``error|MESSAGE``, ``ok``.
    Raises Died and Illegal, and TimeoutError after 30 s.
    """

    def __init__(
        self, command: Sequence[str], config: Path | str, *, name: str = "t", smtpd: str = "7.9.0"
    ) -> None:
        self.name = name.encode()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the program
        self._id = 0
        self.socket, its = socket.socketpair()
        self.socket.settimeout(30)
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*IGNORING, *command, str(config)],
            stdin=its.fileno(), stdout=its.fileno(), stderr=self._log, cwd="/",
        )  # fmt: skip
        its.close()
        self._lines = self.socket.makefile("rb")
        hello = (f"smtpd-version|{smtpd}-portable", "protocol|0.1", f"tablename|{name}", "ready")
        self.services = self._handshake("".join(f"config|{line}\n" for line in hello).encode())

    def __enter__(self) -> "TableClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _handshake(self, hello: bytes) -> list[str]:
        try:
            self.write(hello)
            services = []
            while (line := self.line()) != b"register|ready":
                register, _, service = line.decode().partition("|")
                if register != "register" or service not in SERVICES:
                    raise Illegal(line)
                services.append(service)
            if not services:
                raise Illegal(b"register|ready")
        except BaseException:
            self.close()
            raise
        return services

    @property
    def log(self) -> str:
        """What the program has written to stderr so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def write(self, data: bytes) -> None:
        """Send bytes as they are; whether the program is still there shows when it is read."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def line(self) -> bytes:
        """Return the next line, without its end. Raises Died."""
        try:
            line = self._lines.readline()
        except ConnectionResetError:
            line = b""
        if not line.endswith(b"\n"):
            raise Died(self.process.wait(30))
        return line[:-1]

    def request(self, verb: bytes, service: str | None, key: bytes | None) -> tuple[bytes, bytes]:
        """Return a request, and what its answer has to begin with."""
        self._id += 1
        id = b"%08x" % (0x5EED0000 + self._id)
        words = [b"table", b"0.1", STAMP, self.name, verb]
        words += [id] if service is None else [service.encode(), id]
        words += [] if key is None else [key]
        return b"|".join(words) + b"\n", b"%s-result|%s|" % (verb, id)

    def ask(self, verb: bytes, service: str | None = None, key: bytes | None = None) -> bytes:
        """Send one request and wait for its answer."""
        line, head = self.request(verb, service, key)
        self.write(line)
        return self._answer(verb, head)

    def _answer(self, verb: bytes, head: bytes) -> bytes:
        line = self.line()
        answer = line.removeprefix(head)
        known = {b"update": (b"ok",), b"check": (b"found", b"not-found")}.get(verb, (b"not-found",))
        value = verb in (b"lookup", b"fetch") and answer.startswith(b"found|") and len(answer) > 6
        error = answer == b"error" or answer.startswith(b"error|")
        if not line.startswith(head) or not (answer in known or value or error):
            raise Illegal(line)
        return answer

    def check(self, service: str, key: bytes) -> bytes:
        """Ask whether a row matches ``key``."""
        return self.ask(b"check", service, key)

    def lookup(self, service: str, key: bytes) -> bytes:
        """Ask for the value of ``key``."""
        return self.ask(b"lookup", service, key)

    def fetch(self, service: str) -> bytes:
        """Ask for the next value of a list."""
        return self.ask(b"fetch", service)

    def update(self) -> bytes:
        """Ask to read the configuration again."""
        return self.ask(b"update")

    def pipeline(self, asked: Sequence[tuple[bytes, str | None, bytes | None]]) -> list[bytes]:
        """Send requests (verb, service, key) without waiting; return the answers, in order."""
        requests = [(verb, *self.request(verb, service, key)) for verb, service, key in asked]
        stream = b"".join(line for _, line, _ in requests)
        # It answers before it has read all, and would block if nobody took the answer.
        writer = threading.Thread(target=self.write, args=(stream,))
        writer.start()
        try:
            return [self._answer(verb, head) for verb, _, head in requests]
        finally:
            writer.join()

    def close(self) -> int:
        """Hang up as smtpd does; return the exit code."""
        self._lines.close()
        self.socket.close()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._log.close()
