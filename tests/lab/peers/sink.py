"""Somebody else's mail servers: take any mail on port 25 and keep it."""

import queue
import socket
import socketserver
import threading
from dataclasses import dataclass

from lab.root.namespace import OTHER_MXS, OUTSIDE_MX


@dataclass(frozen=True)
class Received:
    """A mail that came."""

    message: bytes
    """With LF line ends."""
    client: str
    """The address that it came from."""
    sender: bytes = b""
    """What stood behind MAIL FROM, options included."""


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def _say(self, text: bytes) -> None:
        self.wfile.write(text + b"\r\n")

    def handle(self) -> None:
        self._say(b"220 mx.outside.example.org ESMTP")
        sender = b""
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self._say(b"354 go on")
                self.server.mails.put(Received(self._message(), self.client_address[0], sender))
                self._say(b"250 taken")
            elif verb == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                if verb == b"MAIL":
                    sender = line.partition(b":")[2].strip()
                self._say(b"250 fine")

    def _message(self) -> bytes:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b"."))
        return b"".join(lines).replace(b"\r\n", b"\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str, mails: "queue.Queue[Received]"):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.mails = mails
        super().__init__((address, 25), _Handler)


class Sink:
    """``with Sink() as sink:`` runs them all; ``sink.take()`` waits for a mail."""

    def __init__(self) -> None:
        self._mails: queue.Queue[Received] = queue.Queue()
        self._servers = [
            _Server(address, self._mails)
            for address in (OUTSIDE_MX, *(address for pair in OTHER_MXS for address in pair))
        ]

    def __enter__(self) -> "Sink":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def receive(self, seconds: float = 60.0) -> Received:
        """Return the next mail; queue.Empty if none comes in time."""
        return self._mails.get(timeout=seconds)

    def take(self, seconds: float = 60.0) -> bytes:
        """Return the next mail's message, LF line ends; queue.Empty if none comes in time."""
        return self.receive(seconds).message
