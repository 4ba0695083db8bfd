"""Talk to an SMTP server for a moment: one connection, bounded in time and in what is read."""

import errno
import socket
import ssl
import time
from typing import NamedTuple

PORT = 25
STEP = 20.0
"""Seconds for each answer."""
_LINES_MAX = 100
_LINE_MAX = 2048
_SHOWN = 120
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class SmtpReply(NamedTuple):
    """The answer to a command. ``text`` is its last line, ``lines`` are all, without the codes."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The code and the last line: printable ASCII, and short."""
        last = "".join(char if " " <= char <= "~" else "?" for char in self.lines[-1])
        return f"{self.code} {last[:_SHOWN]}".rstrip()

    def offers(self, keyword: str) -> bool:
        """Return whether an answer to EHLO has an extension."""
        return any(line.upper().split()[:1] == [keyword] for line in self.lines[1:])


def _nonsense() -> OSError:
    return OSError(errno.EPROTO, "what it says is no SMTP, or too long")


class Conversation:
    """A connection to a server."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left = b""
        self.peer: str = connection.getpeername()[0]
        """The address of the server."""
        self.own: str = connection.getsockname()[0]
        """Our own address."""

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def ask(self, command: str) -> SmtpReply:
        """Send a command, and return the answer. Raises OSError; TimeoutError for none."""
        self._connection.settimeout(STEP)
        self._connection.sendall(command.encode("ascii", "replace") + b"\r\n")
        return self.reply()

    def reply(self) -> SmtpReply:
        """Return what the server says next. Raises OSError; TimeoutError for nothing."""
        until = time.monotonic() + STEP
        lines: list[str] = []
        while len(lines) < _LINES_MAX:
            line = self._line(until)
            if not line[:3].isdigit() or line[3:4] not in ("", " ", "-"):
                raise _nonsense()
            lines.append(line[4:])
            if line[3:4] != "-":
                return SmtpReply(int(line[:3]), tuple(lines))
        raise _nonsense()

    def _line(self, until: float) -> str:
        while b"\n" not in self._left:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(_LINE_MAX)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "it closed the connection")
            self._left += data
            if len(self._left) > _LINES_MAX * _LINE_MAX:
                raise _nonsense()
        line, _, self._left = self._left.partition(b"\n")
        if len(line) > _LINE_MAX:
            raise _nonsense()
        return line.rstrip(b"\r").decode("ascii", "replace")

    def start_tls(self, name: str) -> None:
        """Begin TLS, and verify the certificate for a name. Raises OSError, as ssl has it."""
        self._connection.settimeout(STEP)
        context = ssl.create_default_context()
        self._connection = context.wrap_socket(self._connection, server_hostname=name)
        self._left = b""  # what was said before TLS does not count

    def expires(self) -> float:
        """Return until when the server's certificate is valid, in seconds since 1970."""
        assert isinstance(self._connection, ssl.SSLSocket)
        about = self._connection.getpeercert() or {}
        return ssl.cert_time_to_seconds(str(about["notAfter"]))


def connect(host: str) -> Conversation:
    """Connect to port 25 of a host, once.

    Of its addresses the first counts that this machine has a way to. Raises OSError, as
    socket.gaierror where the host has none.
    """
    failed: OSError = OSError(errno.ENETUNREACH, "no way to any of its addresses")
    for kind, _, _, _, address in socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM):
        connection = socket.socket(kind, socket.SOCK_STREAM)
        connection.settimeout(STEP)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            if error.errno not in _NO_WAY:
                raise
            failed = error
        else:
            return Conversation(connection)
    raise failed
