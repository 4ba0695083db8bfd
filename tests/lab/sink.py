"""Somebody else's mail server: takes any mail on port 25 of the outside MX and keeps it."""

import queue
import socketserver
import threading

from lab.namespace import OUTSIDE_MX


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def _say(self, text: bytes) -> None:
        self.wfile.write(text + b"\r\n")

    def handle(self) -> None:
        self._say(b"220 mx.outside.example.org ESMTP")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self._say(b"354 go on")
                self.server.mails.put(self._message())
                self._say(b"250 taken")
            elif verb == b"QUIT":
                self._say(b"221 bye")
                return
            else:
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
    mails: "queue.Queue[bytes]"


class Sink:
    """``with Sink() as sink:`` runs it; ``sink.take()`` waits for a mail."""

    def __init__(self) -> None:
        self._server = _Server((OUTSIDE_MX, 25), _Handler)
        self._server.mails = queue.Queue()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Sink":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, seconds: float = 60.0) -> bytes:
        """Return the next mail, LF line ends; queue.Empty if none comes in time."""
        return self._server.mails.get(timeout=seconds)
