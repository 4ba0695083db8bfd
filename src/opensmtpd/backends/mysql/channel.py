"""The bytes between PyMySQL, or us, and the server: one deadline for all that is read and written.

PyMySQL bounds each call of recv(2) alone, so that a reply that trickles in has no end. It is given
this in the place of its socket.
"""

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from opensmtpd.backends.network.stream import UNASKED, Stream
from opensmtpd.errors import ServerLost

if TYPE_CHECKING:
    import ssl

PACKET_MAX = 1 << 20
"""Bytes of a packet: a row, above all. smtpd takes 2,047 of a value."""


class MysqlChannel:
    """A connection. Each method raises ServerLate at the deadline, and ServerLost."""

    def __init__(self, end: socket.socket, until: float) -> None:
        """``end`` is connected; ``until``, a time of ``time.monotonic``, may be set anew."""
        self.until = until
        self._end = end
        self._stream = Stream(end)
        self._buffer = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """Return as many bytes; more than PACKET_MAX are no answer."""
        if size > PACKET_MAX:
            raise ServerLost(f"a packet of more than {PACKET_MAX} bytes")
        at = self._at
        end = at + size
        while len(self._buffer) < end:
            self._buffer = self._buffer[at:] + self._stream.receive(self.until)
            at, end = 0, size
        self._at = end
        return self._buffer[at:end]

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._stream.send(data, self.until)

    def quiet(self) -> None:
        """Raise ServerLost where the server has said what nobody asked for, or closed."""
        if self._at < len(self._buffer):
            raise ServerLost(UNASKED)
        self._stream.quiet()

    def start_tls(self, context: "ssl.SSLContext", name: str) -> None:
        """Encrypt from now on, once the server has shown a certificate that ``context`` takes."""
        from opensmtpd.backends.network.tls import TlsStream  # noqa: PLC0415  who has a context has loaded it

        if self._at < len(self._buffer):
            raise ServerLost("it said something before TLS, and not encrypted")
        self._stream = TlsStream(self._end, context, name, self.until)

    def makefile(self, _mode: str) -> "MysqlChannel":
        """Return the channel itself: PyMySQL reads from what it gets here."""
        return self

    def settimeout(self, _seconds: float | None) -> None:
        """Do nothing: the deadline stands."""

    def say(self, data: bytes) -> None:
        """Send a last word, if the system takes it at once."""
        with suppress(Exception):
            self._stream.send(data, 0.0)

    def close(self) -> None:
        """Close it, at once."""
        self._stream.close()
