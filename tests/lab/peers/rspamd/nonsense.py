"""A server that answers as no rspamd should: what a test says, byte for byte."""

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TICK = 0.02


@dataclass(frozen=True)
class Answer:
    """One way to answer."""

    pieces: Callable[[], Iterable[bytes]]
    """Makes what is sent; it need not end."""
    pause: float = 0.0
    """Seconds after each piece."""
    hold: bool = False
    """Leave the connection open at the end, until the other side closes it."""
    early: bool = False
    """Answer once the head of the request is there, and never read its body."""


def reply(body: bytes, head: bytes = HEAD) -> bytes:
    """Return a whole reply."""
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def whole(text: bytes, *, hold: bool = False, early: bool = False) -> Answer:
    """Send these bytes, all at once."""
    return Answer(lambda: [text], hold=hold, early=early)


def slowly(text: bytes, pause: float = 0.05) -> Answer:
    """Send these bytes one by one."""
    return Answer(lambda: (text[n : n + 1] for n in range(len(text))), pause)


def endless(first: bytes, again: bytes) -> Answer:
    """Send this, and then that for ever."""

    def pieces() -> Iterator[bytes]:
        yield first
        while True:
            yield again

    return Answer(pieces)


SILENCE = Answer(lambda: [], hold=True)
CLOSED = Answer(lambda: [])


@dataclass
class Nonsense:
    """``with Nonsense(port) as server:`` listens on 127.0.0.1 until the end.

    ``server.answer`` may be set at any time, and is for the connections that come then.
    """

    port: int
    answer: Answer = SILENCE
    tls: ssl.SSLContext | None = None
    """With one, connections are within TLS. It may be set at any time, too."""
    requests: list[bytes] = field(default_factory=list)
    """Heads of the requests so far."""

    def __enter__(self) -> "Nonsense":
        self._ending = threading.Event()
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.nonsense = self
        threading.Thread(target=self._server.serve_forever, args=(TICK,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, client: socket.socket) -> None:
        """Read a request and answer it."""
        if self.tls:
            with self.tls.wrap_socket(client, server_side=True) as inner:
                self._serve(inner)
        else:
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        answer = self.answer
        head, rest = _head(client)
        if not head:
            return
        self.requests.append(head)
        if not answer.early:
            _read_body(client, head, rest)
        for piece in answer.pieces():
            client.sendall(piece)
            if self._ending.wait(answer.pause) if answer.pause else self._ending.is_set():
                return
        if answer.hold:
            client.settimeout(TICK)
            while not self._ending.is_set():
                with suppress(TimeoutError):
                    if not client.recv(65536):
                        return


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    nonsense: Nonsense


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):
            self.server.nonsense.serve(self.request)


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    said = b""
    while b"\r\n\r\n" not in said:
        if not (more := client.recv(65536)):
            return b"", b""
        said += more
    head, _, rest = said.partition(b"\r\n\r\n")
    return head, rest


def _read_body(client: socket.socket, head: bytes, rest: bytes) -> None:
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    tail, count = rest[-5:], len(rest)
    while count < lengths[0] if lengths else tail != b"0\r\n\r\n":
        if not (more := client.recv(65536)):
            return
        tail, count = (tail + more)[-5:], count + len(more)


def wait_for(count: int, server: Nonsense, seconds: float = 30.0) -> None:
    """Wait until so many requests have come. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while len(server.requests) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(server.requests)} of {count} requests")
        time.sleep(TICK)
