"""A milter that does what a test says, at each command, byte for byte.

It is written without our code, and without libmilter, which would not let it misbehave.
"""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

TICK = 0.02
VERSION, ACTIONS = 6, 0x1FF
CONNECT, HELO, MAIL, RCPT, DATA = b"C", b"H", b"M", b"R", b"T"
HEADER, EOH, BODY, EOM = b"L", b"N", b"B", b"E"
OFFER, MACROS, ABORT, QUIT = b"O", b"D", b"A", b"Q"
STAGES = {
    "connect": CONNECT,
    "helo": HELO,
    "mail": MAIL,
    "rcpt": RCPT,
    "data": DATA,
    "header": HEADER,
    "eoh": EOH,
    "body": BODY,
    "eom": EOM,
}
"""The commands that are replied to, by titles."""


def frame(letter: bytes, data: bytes = b"") -> bytes:
    """Return the bytes of a frame."""
    return struct.pack("!I", len(data) + 1) + letter + data


def texts(*strings: bytes) -> bytes:
    """Return C strings."""
    return b"".join(each + b"\0" for each in strings)


CONTINUE, ACCEPT, REJECT, TEMPFAIL = map(frame, (b"c", b"a", b"r", b"t"))
DISCARD, SKIP, PROGRESS, CONN_FAIL, SHUTDOWN = map(frame, (b"d", b"s", b"p", b"f", b"4"))


def reply(text: bytes) -> bytes:
    """Return a reply in the milter's words."""
    return frame(b"y", texts(text))


def negotiation(version: int = VERSION, actions: int = ACTIONS, steps: int = 0) -> bytes:
    """Return the answer to an offer; ``steps`` are those to be left out."""
    return frame(b"O", struct.pack("!III", version, actions, steps))


def add(name: bytes, value: bytes) -> bytes:
    """Add a field at the end."""
    return frame(b"h", texts(name, value))


def insert(index: int, name: bytes, value: bytes) -> bytes:
    """Insert a field."""
    return frame(b"i", struct.pack("!I", index) + texts(name, value))


def change(index: int, name: bytes, value: bytes) -> bytes:
    """Change a field; with an empty value, remove it."""
    return frame(b"m", struct.pack("!I", index) + texts(name, value))


def body(data: bytes) -> bytes:
    """Replace the body, or send a further piece of the new one."""
    return frame(b"b", data)


def add_recipient(address: bytes) -> bytes:
    """Add a recipient."""
    return frame(b"+", texts(address))


def add_recipient_with(address: bytes, arguments: bytes) -> bytes:
    """Add a recipient with ESMTP arguments."""
    return frame(b"2", texts(address, arguments))


def delete_recipient(address: bytes) -> bytes:
    """Remove a recipient."""
    return frame(b"-", texts(address))


def sender(address: bytes) -> bytes:
    """Change the sender."""
    return frame(b"e", texts(address))


def quarantine(reason: bytes) -> bytes:
    """Keep the message from its recipients."""
    return frame(b"q", texts(reason))


@dataclass(frozen=True)
class Act:
    """One way to reply to a command."""

    pieces: Callable[[], Iterable[bytes]]
    """Makes what is sent; it need not end."""
    pause: float = 0.0
    """Seconds after each piece."""
    then: str = "go on"
    """``go on``, or ``close`` the connection, or ``hang``: neither read nor write any more."""


def say(*pieces: bytes) -> Act:
    """Send these bytes."""
    return Act(lambda: pieces)


def slowly(text: bytes, pause: float = 0.02) -> Act:
    """Send bytes one by one."""
    return Act(lambda: (text[n : n + 1] for n in range(len(text))), pause)


HANG = Act(lambda: (), then="hang")
CLOSE = Act(lambda: (), then="close")
Plan = Mapping[bytes, Act | bytes]
"""The replies to commands, by the letters of these; to all others, the milter says CONTINUE."""


class Heard(NamedTuple):
    """A command that the milter got."""

    connection: int
    """The number of the connection, from 0."""
    letter: bytes
    data: bytes


@dataclass
class ScriptedMilter:
    """``with ScriptedMilter(port) as milter:`` listens on 127.0.0.1 until the end.

    ``milter.plan`` may be set at any time, and holds for the commands that come then.
    """

    port: int
    plan: Plan = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    """How many there were."""
    opened: int = 0
    """How many there are."""

    def __enter__(self) -> "ScriptedMilter":
        self._ending, self._released = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._released.set()
        self.away()

    def _begin(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.milter = self
        threading.Thread(target=self._server.serve_forever, args=(TICK,), daemon=True).start()

    def release(self) -> None:
        """End the connections that hang, or whose reply has no end."""
        released, self._released = self._released, threading.Event()
        released.set()

    def away(self) -> None:
        """Refuse new connections; those that there are stay."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def back(self) -> None:
        """Listen again."""
        self._begin()

    _server: "_Server | None" = None
    _since: int = 0
    """The first connection that was not there when all was forgotten."""

    def _said(self) -> list[Heard]:
        with self._lock:
            return [each for each in self.heard if each.connection >= self._since]

    def forget(self, plan: Plan | None = None) -> None:
        """Begin anew: follow another plan, and know nothing of the connections that there are."""
        self.plan = plan or {}
        with self._lock:
            self.heard, self._since = [], self.connections

    def letters(self) -> bytes:
        """Return the letters of the commands so far, macros left out."""
        return b"".join(each.letter for each in self._said() if each.letter != MACROS)

    def said(self, letter: bytes) -> list[bytes]:
        """Return the data of all commands of a letter so far."""
        return [each.data for each in self._said() if each.letter == letter]

    def macros(self, letter: bytes) -> dict[bytes, bytes]:
        """Return the macros that came with the last command of a letter."""
        for each in reversed(self._said()):
            if each.letter == MACROS and each.data[:1] == letter:
                words = each.data[1:].split(b"\0")[:-1]
                return dict(zip(words[::2], words[1::2], strict=True))
        return {}

    def wait_for(self, letter: bytes, count: int = 1, seconds: float = 60.0) -> None:
        """Wait until so many commands of a letter have come. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while self.letters().count(letter) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.letters()!r} has no {count} of {letter!r}")
            time.sleep(TICK)

    def serve(self, client: socket.socket) -> None:
        """Obey one MTA until it goes."""
        with self._lock:
            number, self.connections = self.connections, self.connections + 1
            self.opened += 1
        try:
            buffer = b""
            while True:
                while len(buffer) < 4 or len(buffer) < 4 + int.from_bytes(buffer[:4]):
                    more = self._received(client)
                    if not more:
                        return
                    buffer += more
                end = 4 + int.from_bytes(buffer[:4])
                letter, data, buffer = buffer[4:5], buffer[5:end], buffer[end:]
                with self._lock:
                    self.heard.append(Heard(number, letter, data))
                if letter == QUIT or not self._act(client, letter):
                    return
        finally:
            with self._lock:
                self.opened -= 1

    def _received(self, client: socket.socket) -> bytes:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                return client.recv(65536)
        return b""

    def _act(self, client: socket.socket, letter: bytes) -> bool:
        act = self.plan.get(letter)
        if act is None:
            if letter in (MACROS, ABORT):
                return True
            act = negotiation() if letter == OFFER else CONTINUE
        if isinstance(act, bytes):
            act = say(act)
        released = self._released
        for piece in act.pieces():
            client.settimeout(60)
            client.sendall(piece)
            client.settimeout(TICK)
            if released.wait(act.pause) if act.pause else released.is_set():
                return False
        if act.then == "hang":
            released.wait()
        return act.then == "go on"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 100
    milter: ScriptedMilter


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.request.settimeout(TICK)
        with suppress(OSError):
            self.server.milter.serve(self.request)
