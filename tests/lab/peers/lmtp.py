"""An LMTP server that does what a test says, at each command. It is written without our code."""

import re
import socketserver
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

TICK = 0.02
GREETING, LHLO, MAIL, RCPT, DATA, DOT = "GREETING", "LHLO", "MAIL", "RCPT", "DATA", "DOT"
RSET, QUIT, UNKNOWN = "RSET", "QUIT", "UNKNOWN"
STAGES = (GREETING, LHLO, MAIL, RCPT, DATA, DOT)
"""All steps of a message in their order; DOT is its end."""
CLOSE, HANG = "close", "hang"
"""In the place of a reply: close the connection, or say nothing until ``release``."""
USUAL = {
    GREETING: "220 archive LMTP",
    LHLO: "250-archive\r\n250-8BITMIME\r\n250 SIZE 100000000",
    DATA: "354 go on",
    QUIT: "221 2.0.0 bye",
    UNKNOWN: "500 5.5.1 unknown",
}
"""The replies that differ from OK."""
OK = "250 2.0.0 fine"
ID = re.compile(rb"(?m)^X-Archive-Id: (\S+)\r?$")


class Taken(NamedTuple):
    """A message that came whole."""

    sender: bytes
    recipient: bytes
    """Both as they stood behind the colon."""
    message: bytes
    """With the line ends that came; dots are undone."""
    accepted: bool

    @property
    def ident(self) -> bytes:
        """The id that the archive has given it."""
        found = ID.search(self.message)
        return found[1] if found else b""


class ScriptedLmtp:
    """``with ScriptedLmtp(port) as server:`` listens on 127.0.0.1, or at a unix socket.

    ``plan`` has the replies to commands that differ from the usual, in their order: each is given
    once. It may be changed at any time.
    """

    def __init__(self, at: int | Path = 0) -> None:
        self.plan: dict[str, list[str]] = {}
        self.taken: list[Taken] = []
        self.waiting = 0
        """The connections that say nothing now."""
        self._at, self._lock, self._released = at, threading.Lock(), threading.Event()
        self._server: socketserver.BaseServer | None = None

    def __enter__(self) -> Self:
        self.back()
        return self

    def __exit__(self, *_: object) -> None:
        self.away()
        self.release()

    @property
    def place(self) -> str:
        """The place, as options of ours take it."""
        return f"inet:127.0.0.1:{self._at}" if isinstance(self._at, int) else f"unix:{self._at}"

    def back(self) -> None:
        """Listen."""
        if isinstance(self._at, Path):
            self._at.unlink(missing_ok=True)
            self._server = _UnixServer(str(self._at), self)
        else:
            self._server = server = _TcpServer(("127.0.0.1", self._at), self)
            self._at = server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(TICK,), daemon=True).start()

    def away(self) -> None:
        """Refuse new connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def release(self) -> None:
        """Close the connections that hang."""
        released, self._released = self._released, threading.Event()
        released.set()

    def forget(self, **plan: list[str]) -> None:
        """Begin anew, with another plan."""
        with self._lock:
            self.plan, self.taken = plan, []

    def reply(self, command: str) -> str:
        """Return the next reply to a command, or OK; CLOSE and HANG as they are."""
        with self._lock:
            planned = self.plan.get(command)
            return planned.pop(0) if planned else USUAL.get(command, OK)

    @property
    def done(self) -> bool:
        """Tell whether each planned reply has been given."""
        return not any(self.plan.values())

    def accepted(self) -> list[Taken]:
        """Return the messages that were accepted, the first one first."""
        with self._lock:
            return [each for each in self.taken if each.accepted]

    def idents(self) -> Counter[bytes]:
        """Return the number of times that each message has come, accepted or not, by its id."""
        with self._lock:
            return Counter(each.ident for each in self.taken)

    def hang(self) -> None:
        """Wait for ``release``."""
        released = self._released
        with self._lock:
            self.waiting += 1
        released.wait()
        with self._lock:
            self.waiting -= 1

    def take(self, taken: Taken) -> None:
        """Keep a message."""
        with self._lock:
            self.taken.append(taken)


class _Over(Exception):
    """The connection ends."""


class _Handler(socketserver.StreamRequestHandler):
    server: "_TcpServer | _UnixServer"

    def handle(self) -> None:
        with suppress(_Over, OSError):
            self._say(GREETING)
            sender = recipient = b""
            while line := self.rfile.readline():
                verb = line[:4].decode("ascii", "replace").upper()
                text = line.partition(b":")[2].strip()
                if verb == MAIL and sender:
                    self._send("503 5.5.1 nested MAIL")
                elif verb == MAIL:
                    sender = text if self._say(MAIL) else b""
                elif verb == RCPT and self._say(RCPT):
                    recipient = text
                elif verb == DATA and self._say(DATA):
                    self._take(sender, recipient)
                    sender = recipient = b""
                elif verb not in (RCPT, DATA):
                    self._say(verb if verb in (LHLO, RSET, QUIT) else UNKNOWN)
                    if verb == QUIT:
                        return
                    sender = recipient = b""

    def _take(self, sender: bytes, recipient: bytes) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise _Over
            lines.append(line.removeprefix(b"."))
        reply = self.server.lmtp.reply(DOT)
        accepted = reply == CLOSE or reply.startswith("2")
        self.server.lmtp.take(Taken(sender, recipient, b"".join(lines), accepted))
        self._send(reply)

    def _say(self, command: str) -> bool:
        """Reply; return whether that was no refusal."""
        return self._send(self.server.lmtp.reply(command))

    def _send(self, reply: str) -> bool:
        if reply == HANG:
            self.server.lmtp.hang()
        if reply in (HANG, CLOSE):
            raise _Over
        self.wfile.write(reply.encode() + b"\r\n")
        if reply.startswith("421"):
            raise _Over
        return reply[:1] in ("2", "3")


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    server_address: tuple[str, int]

    def __init__(self, address: tuple[str, int], lmtp: ScriptedLmtp) -> None:
        self.lmtp = lmtp
        super().__init__(address, _Handler)


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, address: str, lmtp: ScriptedLmtp) -> None:
        self.lmtp = lmtp
        super().__init__(address, _Handler)
