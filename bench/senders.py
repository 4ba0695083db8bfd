"""Clients of a real smtpd, side by side, each with one message after the other in one session."""

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from lab.root.namespace import SERVER4

SOURCE = "192.0.2.7"
SENDER, RECIPIENT = b"bob@example.org", b"alice@example.com"


class Sender:
    """One client. A generator has what it says: it yields bytes, and goes on at smtpd's reply."""

    def __init__(self, port: int, talk: Iterator[bytes], selector: selectors.BaseSelector) -> None:
        """Connect. Raises SystemExit where smtpd does not greet, and OSError."""
        self.socket = socket.create_connection(
            (SERVER4, port), timeout=60, source_address=(SOURCE, 0)
        )
        # One comes after the other: of more than five clients that wait for smtpd to accept them
        # (``SMTPD_BACKLOG``), the kernel lets some wait for seconds.
        greeting = self.socket.recv(4096)
        if not greeting.startswith(b"220 "):
            raise SystemExit(f"smtpd said {greeting!r}")
        self.socket.setblocking(False)
        self._talk, self._selector = talk, selector
        self._in, self._out = b"", memoryview(next(talk))
        selector.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def ready(self, mask: int) -> bool:
        """Read and write what can be; return False when there is nothing more to say."""
        if mask & selectors.EVENT_READ:
            said = self.socket.recv(4096)
            self._in += said
            if not said or self._in[:1] not in b"23":
                raise SystemExit(f"smtpd said {self._in!r}")
            if self._in.endswith(b"\n") and self._in.splitlines()[-1][3:4] == b" ":
                self._in = b""
                text = next(self._talk, None)
                if text is None:
                    self.close()
                    return False
                self._out = memoryview(text)
        if self._out:
            with suppress(BlockingIOError):
                self._out = self._out[self.socket.send(self._out) :]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        if self._selector.get_key(self.socket).events != wanted:
            self._selector.modify(self.socket, wanted, self)
        return True

    def close(self) -> None:
        """End the session."""
        self._selector.unregister(self.socket)
        self.socket.close()


def talk(text: bytes, count: int, greeted: list[float]) -> Iterator[bytes]:
    """Yield what a client says; ``greeted`` gets the time at which it begins with its messages."""
    yield b"EHLO client.example.net\r\n"
    greeted.append(time.perf_counter())
    for _ in range(count):
        yield b"MAIL FROM:<%s>\r\n" % SENDER
        yield b"RCPT TO:<%s>\r\n" % RECIPIENT
        yield b"DATA\r\n"
        yield text


def data(message: bytes) -> bytes:
    """Return a message, none of whose lines is a dot, as a client sends it."""
    return b"".join(b"%s\r\n" % line for line in [*message.splitlines(), b"."])


def rate(port: int, message: bytes, clients: int, count: int) -> float:
    """Return messages a second to a port: ``count`` of each of so many clients at once.

    The time begins when the first of them begins with its messages, after all have connected.
    """
    text, greeted = data(message), list[float]()
    run(port, [talk(text, count, greeted) for _ in range(clients)])
    return clients * count / (time.perf_counter() - greeted[0])


def run(port: int, talks: Sequence[Iterator[bytes]]) -> None:
    """Have a client for each talk, all at once, and wait until all have been said."""
    with selectors.DefaultSelector() as selector:
        left = [Sender(port, each, selector) for each in talks]
        running = len(left)
        while running:
            ready = selector.select(60)
            if not ready:
                raise SystemExit(f"port {port}: smtpd is silent")
            for key, mask in ready:
                running -= not key.data.ready(mask)
