"""One request to rspamd on an asyncio loop: the message goes up in parts, the answer comes down.

HTTP/1.1 (RFC 9112), a connection for each message: rspamd closes it behind its answer. Python's
own ``http.client`` reads an answer that is not as rspamd's are, when all of it is there.
"""

import asyncio
import http.client
import io
import re
from typing import TYPE_CHECKING

from opensmtpd.backends.network.opening import ServerConnection, opened
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.mail.rspamd.request import RequestFields
from opensmtpd.mail.rspamd.url import Url

if TYPE_CHECKING:
    import ssl

ANSWER_MAX = 4 << 20
"""Bytes that an answer may have."""
QUOTED = 120
"""Characters of an error's text that the log shows."""
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_PLAIN = re.compile(rb"HTTP/1\.[01] 200 [^\r\n]*\r\n((?:[!-9;-~]+:[^\r\n\0]*\r\n)*)\r\n")
_PLAIN_MAX = 8192
"""Bytes that a plain head has, at most."""


class Upload(ServerConnection):
    """A request: ``open`` it, ``send`` all parts, then wait for the ``answer``.

    All methods raise ServerLost, and ServerRefused where the answer is an error; nothing here
    bounds the time. What the server says is kept from the beginning on: one that does not want the
    message says so, and closes before it has read all, and what it said could not be read any more
    behind the error that sending meets then.
    """

    def __init__(self, url: Url, context: "ssl.SSLContext | None") -> None:
        super().__init__()
        self._url, self._context = url, context
        self._head = b""
        """The head of the request, until it is sent with the first part."""
        self._chunked = False
        self._received = bytearray()
        self._body: slice | None = None
        """Where the body of the answer stands, if its head is a plain one."""
        self._ended: asyncio.Future[None]
        """Done when no more of the answer comes."""

    async def open(self, method: str, path: str, fields: RequestFields, length: int | None) -> None:
        """Connect; ``length`` is that of the body, None where it comes in parts.

        ``path`` stands behind that of the URL.
        """
        url = self._url
        self._ended = asyncio.get_running_loop().create_future()
        self._chunked = length is None
        rest = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
        lines = [
            f"{method} {url.path}{path} HTTP/1.1\r\nHost: {url.host_field}".encode("ascii"),
            b"Connection: close",
            rest,
            *(b"%s: %s" % (name, value) for name, value in fields),
        ]
        self._head = b"\r\n".join(lines) + b"\r\n\r\n"
        place = url.socket or (url.host, url.port)
        await opened(self, place, self._context if url.tls else None, url.host)

    async def send(self, part: bytes, *, last: bool) -> None:
        """Send a part of the body; returns when the system has taken most of it."""
        out, self._head = [self._head] if self._head else [], b""
        if not self._chunked:
            out.append(part)
        else:
            out += [b"%x\r\n" % len(part), part, b"\r\n"] if part else []
            out += [b"0\r\n\r\n"] if last else []
        if not await self.write(out):  # what it said before tells more
            await self.answer()
            raise ServerLost("it answers before it has the message")

    async def answer(self) -> bytes:
        """Return the body of the answer; one that is no 200 is an error."""
        await self._ended
        if len(self._received) > ANSWER_MAX:
            raise ServerLost(f"its answer has more than {ANSWER_MAX} bytes")
        if self.fault and not self._received:
            raise ServerLost(self.fault)
        if self._body is not None and len(self._received) >= self._body.stop:
            return bytes(self._received[self._body])
        return body_of(bytes(self._received))

    # --- what the loop tells ----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Keep what has come of the answer."""
        self._received += data
        if self._body is None:
            self._body = plain_body(self._received)
        if len(self._received) > ANSWER_MAX or (
            is_whole(self._received)
            if self._body is None
            else len(self._received) >= self._body.stop
        ):
            assert self.transport is not None
            self.transport.pause_reading()
            self.ended()

    def eof_received(self) -> bool:
        """Go on sending, where TLS lets it: the server may read it all before it closes."""
        self.ended()
        return not self._url.tls

    def ended(self) -> None:
        """Let ``answer`` go on."""
        if not self._ended.done():
            self._ended.set_result(None)


class _Received:
    """Bytes in the place of the socket that ``http.client`` reads from."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._received)


def plain_body(received: bytes | bytearray) -> slice | None:
    """Return where the body of an answer stands; None where ``http.client`` has to look for it.

    A plain head says 200, names the length of the body, and has nothing unusual in it, as those of
    rspamd: this takes a twentieth of the time.
    """
    head = _PLAIN.match(received, 0, _PLAIN_MAX)
    if head is None:
        return None
    fields = head[1].lower()
    lengths = _LENGTH.findall(fields)
    if len(lengths) != 1 or fields.count(b"content-length") > 1 or b"transfer-encoding" in fields:
        return None
    return slice(head.end(), head.end() + int(lengths[0]))


def is_whole(received: bytes | bytearray) -> bool:
    """Return whether no more of an answer will come, by its own word (RFC 9112 section 6.3).

    It is a proxy that keeps the connection, though it was told not to. Where this is not clear, the
    end of the connection is waited for.
    """
    head, end, body = bytes(received).partition(b"\r\n\r\n")
    if not end:
        return False
    length = _LENGTH.search(head)
    if length is not None:
        return len(body) >= int(length[1])
    ends = body == b"0\r\n\r\n" or body.endswith(b"\r\n0\r\n\r\n")
    return ends and b"chunked" in head.lower()


def body_of(received: bytes) -> bytes:
    """Return the body of a whole answer. Raises ServerLost, ServerRefused."""
    if not received:
        raise ServerLost("it has closed the connection without an answer")
    response = http.client.HTTPResponse(_Received(received), method="POST")  # type: ignore[arg-type]  # a file is all that it makes of a socket
    try:
        response.begin()
        status, words, body = response.status, response.reason, response.read()
    except http.client.IncompleteRead:
        raise ServerLost("it has closed the connection amid its answer") from None
    except (http.client.HTTPException, ValueError, OverflowError):
        raise ServerLost("its answer is no HTTP") from None
    if status != 200:
        shown = ascii(words)[1:-1][:QUOTED]
        raise ServerRefused(f"it answers {status} {shown}")
    return body
