"""A milter that says what a test tells it, byte for byte, in threads, and keeps what it heard.

Without our code, and without libmilter, which would not let it misbehave.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

from unit.support.milter_talk import answer, packet
from unit.support.processes import until

CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD = map(packet, (b"c", b"a", b"r", b"t", b"d"))
SKIP, PROGRESS, CONN_FAIL, SHUTDOWN = map(packet, (b"s", b"p", b"f", b"4"))
STAGES = {"connect": b"C", "helo": b"H", "mail": b"M", "rcpt": b"R", "data": b"T", "header": b"L",
          "eoh": b"N", "body": b"B", "eom": b"E"}  # fmt: skip
"""The commands that are replied to."""


def large(letter: bytes, data: bytes) -> bytes:
    """Return a frame of any size."""
    return (len(data) + 1).to_bytes(4) + letter + data


def strings(*texts: bytes) -> bytes:
    return b"".join(each + b"\0" for each in texts)


def said(text: bytes) -> bytes:
    """Return a reply in the milter's words."""
    return large(b"y", strings(text))


def added(name: bytes, value: bytes) -> bytes:
    return large(b"h", strings(name, value))


def inserted(index: int, name: bytes, value: bytes) -> bytes:
    return large(b"i", index.to_bytes(4) + strings(name, value))


def changed(index: int, name: bytes, value: bytes) -> bytes:
    """Return a change; with an empty value, a removal."""
    return large(b"m", index.to_bytes(4) + strings(name, value))


def body(text: bytes) -> bytes:
    """Return a new body, in the pieces that libmilter sends."""
    parts = [text[at : at + 65535] for at in range(0, len(text), 65535)]
    return b"".join(large(b"b", part) for part in parts or [b""])


class Last(bytes):
    """Bytes after which the milter closes the connection."""


class Heard(NamedTuple):
    """A frame that the milter got."""

    connection: int
    """The number of the connection, from 0."""
    letter: bytes
    data: bytes


Reply = bytes | Callable[[Heard], bytes]
"""Empty bytes are a milter that says nothing, and reads on."""


class ScriptedMilter:
    """A milter at a port of this machine, or at the path of a unix socket.

    ``replies`` are those to commands, by their letters; to the offer it agrees, to all others it
    says CONTINUE. They may be changed at any time.
    """

    def __init__(
        self,
        replies: Mapping[bytes, Reply] | None = None,
        *,
        path: str = "",
        steps: int = 0,
        actions: int = 0x1FF,
        version: int = 6,
    ) -> None:
        self.replies: dict[bytes, Reply] = dict(replies or {})
        self.offer = answer(version, actions, steps)
        self.heard: list[Heard] = []
        self.connections = 0
        self.ends: list[int] = []
        """The connections that are over, by their numbers."""
        self._path = path
        self._at = ("127.0.0.1", 0)
        self.back()

    def back(self) -> None:
        """Listen, at the same place as before."""
        if self._path:
            self._server = socket.socket(socket.AF_UNIX)
            self._server.bind(self._path)
            self._server.listen(50)
        else:
            self._server = socket.create_server(self._at, backlog=50)
            self._at = self._server.getsockname()
        self._open: list[socket.socket] = []
        self._first = self.connections
        threading.Thread(target=self._serve, args=(self._server,), daemon=True).start()

    @property
    def port(self) -> int:
        return self._at[1]

    @property
    def place(self) -> str:
        return f"unix:{self._path}" if self._path else f"inet:{self.port}@127.0.0.1"

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
        """Go away, with all connections."""
        with self._server, suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept()
        self.drop()

    def drop(self) -> None:
        """Close all connections, and listen still."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def restart(self) -> None:
        """Go away, and come back at the same place."""
        self.close()
        until(lambda: len(self.ends) == self.connections)
        self.back()

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                end, _ = server.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            self._open.append(end)
            threading.Thread(target=self._talk, args=(number, end), daemon=True).start()

    def _talk(self, number: int, end: socket.socket) -> None:
        with end, suppress(OSError, EOFError):
            while True:
                length = int.from_bytes(_whole(end, 4))
                data = _whole(end, length)
                heard = Heard(number, data[:1], data[1:])
                self.heard.append(heard)
                reply = self._reply(heard)
                end.sendall(reply)
                if isinstance(reply, Last):
                    break
        self.ends.append(number)

    def _reply(self, heard: Heard) -> bytes:
        reply = self.replies.get(heard.letter)
        if reply is None:
            if heard.letter == b"O":
                return self.offer
            return b"" if heard.letter in (b"D", b"A", b"Q", b"K") else CONTINUE
        return reply(heard) if callable(reply) else reply

    def tell(self, heard: Heard, data: bytes) -> None:
        """Say something to an MTA before the reply, from within the function that makes this."""
        self._open[heard.connection - self._first].sendall(data)

    # --- for tests --------------------------------------------------------------------------------

    def letters(self, connection: int | None = None) -> bytes:
        """Return the letters of the commands, macros left out."""
        return b"".join(
            each.letter
            for each in list(self.heard)
            if each.letter != b"D" and connection in (None, each.connection)
        )

    def data(self, letter: bytes) -> list[bytes]:
        """Return the data of all commands of a letter."""
        return [each.data for each in list(self.heard) if each.letter == letter]

    def macros(self, letter: bytes) -> list[dict[bytes, bytes]]:
        """Return the macros in front of each command of a letter."""
        found = []
        for data in self.data(b"D"):
            if data[:1] == letter:
                words = data[1:].split(b"\0")[:-1]
                found.append(dict(zip(words[::2], words[1::2], strict=True)))
        return found

    def fields(self) -> list[bytes]:
        """Return the fields that it saw, each as name, colon and value."""
        return [data[:-1].replace(b"\0", b":", 1) for data in self.data(b"L")]

    def body(self) -> bytes:
        """Return all pieces of bodies that it saw."""
        return b"".join(self.data(b"B"))

    def gone(self) -> None:
        """Wait until all connections are over."""
        until(lambda: len(self.ends) == self.connections)


def _whole(end: socket.socket, size: int) -> bytes:
    """Return so many bytes. Raises EOFError."""
    data = b""
    while len(data) < size:
        part = end.recv(min(65536, size - len(data)))
        if not part:
            raise EOFError
        data += part
    return data
