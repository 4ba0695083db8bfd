"""An rspamd that says what a test tells it: HTTP of Python's own, in threads."""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self


class Scanned(NamedTuple):
    """A request."""

    first: str
    """``POST /checkv2 HTTP/1.1``."""
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for each, value in self.fields if each == name]


Answer = Callable[[Scanned], "dict[str, Any] | bytes | None"]
"""Returns JSON, bytes that are sent as they are, or None for a server that says nothing more."""

HAM: dict[str, Any] = {"action": "no action", "score": 0.0, "required_score": 15.0}


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a whole answer."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


class FakeRspamd:
    """A server; ``scanned`` are the whole requests that came.

    It listens at a port of this machine, or at the path of a unix socket. It answers ``/ping`` by
    itself.
    """

    def __init__(
        self,
        answer: "dict[str, Any] | bytes | Answer | None" = HAM,
        *,
        closes_after: int = -1,
        path: str = "",
        context: ssl.SSLContext | None = None,
        at: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        """``closes_after`` bytes it closes the connection, whatever is still to come.

        With ``context`` it speaks within TLS.
        """
        self.answer = answer
        self.closes_after = closes_after
        self.silent = False
        """True for a server that reads nothing and says nothing."""
        self.scanned: list[Scanned] = []
        self.pings = 0
        self.connections = 0
        self.received = 0
        """Bytes of bodies that have come, of requests that were cut off too."""
        self.cut_off = 0
        """Connections that clients have closed amid a request, or before the answer."""
        self._path, self._context = path, context
        if path:
            self._server = socket.socket(socket.AF_UNIX)
            self._server.bind(path)
            self._server.listen()
        else:
            self._server = socket.create_server(at)
        self.place = self._server.getsockname()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return self._path or f"{scheme}://127.0.0.1:{self.place[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for end in (self._server, *self._open):
            # shutdown() wakes the thread that waits in accept() or recv()
            with end, suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                end, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(end)
            threading.Thread(target=self._talk, args=(end,), daemon=True).start()

    def _talk(self, end: socket.socket) -> None:
        try:
            if self._context is not None:
                end = self._context.wrap_socket(end, server_side=True)
                self._open.append(end)
            self._answer(end)
        except (OSError, EOFError, ValueError):
            self.cut_off += 1

    def _answer(self, end: socket.socket) -> None:
        if self.silent:
            return
        if self.closes_after >= 0:
            left = self.closes_after
            while left > 0 and (data := end.recv(min(left, 65536))):
                left -= len(data)
            end.close()
            return
        with end.makefile("rb") as file:
            request = self._request(file)
        if request.first.startswith("GET "):
            self.pings += 1
            end.sendall(http(b"pong\r\n"))
            end.close()
            return
        self.scanned.append(request)
        answer = self.answer(request) if callable(self.answer) else self.answer
        if answer is None:
            if not end.recv(1):
                self.cut_off += 1
            return
        end.sendall(answer if isinstance(answer, bytes) else http(json.dumps(answer).encode()))
        end.close()

    def _request(self, file: BinaryIO) -> Scanned:
        """Read a request. Raises EOFError where the client closes before its end."""
        first = _whole_line(file).decode()
        fields = []
        while line := _whole_line(file):
            name, _, value = line.partition(b": ")
            fields.append((name, value))
        heads = dict(fields)
        if b"Content-Length" in heads:
            return Scanned(first, fields, self._read(file, int(heads[b"Content-Length"])))
        body = b""
        if b"Transfer-Encoding" in heads:
            while size := int(_whole_line(file), 16):
                body += self._read(file, size)
                assert _whole_line(file) == b""
            assert _whole_line(file) == b""
        return Scanned(first, fields, body)

    def _read(self, file: BinaryIO, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = file.read1(min(65536, size - len(data)))  # type: ignore[attr-defined]  # buffered
            if not part:
                raise EOFError
            self.received += len(part)
            data += part
        return data


def _whole_line(file: BinaryIO) -> bytes:
    """Return a line of HTTP without its end. Raises EOFError."""
    line = file.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError
    return line[:-2]
