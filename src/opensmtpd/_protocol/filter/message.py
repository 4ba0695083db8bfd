"""A message in flight: the lines of one DATA on their way through us, for one token.

The plugin sees lines without dot-stuffing, header and body apart. Lines that it does not change
leave byte for byte as they came, because the spool keeps them as smtpd sent them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from opensmtpd._protocol.filter.spool import Budget, Spool
from opensmtpd._protocol.filter.wire import dataline_prefix
from opensmtpd.errors import DecisionError, ProtocolError, Refused
from opensmtpd.filter import Reject
from opensmtpd.filter.message import HeldMessage, StreamedMessage

ANSWER_MAX = 65536
"""Bytes of a line to smtpd, line feed included.

smtpd's buffer for our lines holds so many (``IOBUF_MAX`` in ``iobuf.c``). With a longer one its
lookup process spins without end: so on 7.6 and 7.9, where a client may send lines of 65,534 bytes,
so that even an echo of such a line with its prefix would stop the server.
"""

TOO_LONG = Reject(550, "5.6.0 Message refused: a line is longer than 65485 bytes")

State: TypeAlias = Literal["open", "held", "ended", "sent"]

OPEN: Final = "open"
"""Lines come in, and go out as they come."""
HELD: Final = "held"
"""Lines come in, and wait for the handler to return the lines in front of them."""
ENDED: Final = "ended"
"""All lines are in, the handler's last ones too; they and the final dot go out."""
SENT: Final = "sent"
"""The final dot is out, or smtpd waits for nothing any more."""

_NEXT: dict[State, tuple[State, ...]] = {
    OPEN: (HELD, ENDED, SENT),
    HELD: (OPEN, ENDED, SENT),
    ENDED: (SENT,),
    SENT: (),
}
"""State to the states that may follow: ``attach`` holds a message, ``detach`` opens it again,
``close_input`` ends it, the last ``take`` sends it, and ``discard`` sends it from anywhere."""

_LATER_DOT = re.compile(rb"\n\.")  # half again as fast as ``b"\n." in block``


class Message:
    """The lines of one message between smtpd and a handler."""

    __slots__ = (
        "_front",
        "_in_body",
        "_limit",
        "_separator",
        "_spool",
        "handler",
        "prefix",
        "queued",
        "state",
        "trailer",
    )

    def __init__(
        self,
        session: bytes,
        token: bytes,
        budget: Budget,
    ) -> None:
        self.handler: HeldMessage | StreamedMessage | None = None
        self.prefix = dataline_prefix(session, token)
        self.state: State = OPEN
        self.queued = False
        """True while Transfers has it queued to be sent; after SENT, too, until its turn ends."""
        self.trailer = b""
        """Lines to send behind the final dot: the answers that must not overtake it."""
        self._front = b""
        self._in_body = False
        self._spool = Spool(budget)
        self._separator = b"\n" + self.prefix
        self._limit = ANSWER_MAX - 1 - len(self.prefix)

    def attach(self, handler: object) -> None:
        """Show the lines to ``handler``, None for nobody.

        Raises DecisionError for an object that is no message handler.
        """
        if not (handler is None or isinstance(handler, HeldMessage | StreamedMessage)):
            raise DecisionError(f"a {type(handler).__name__} is no message handler")
        self.handler = handler
        if isinstance(handler, HeldMessage):
            self._become(HELD)

    def _become(self, state: State) -> None:
        assert state in _NEXT[self.state], f"a message cannot be {state} after {self.state}"
        self.state = state

    def receive(self, raw: list[bytes]) -> None:
        """Take a run of lines as smtpd sent them, without the final dot.

        Raises Refused, with nothing spooled, for a line that is too long to be sent back, and
        ProtocolError for a final dot amid the run. Raises SpoolError, and then lines may be lost.
        Raises any exception of the handler's; then the run is spooled as it came.
        """
        raw.append(b"")
        block = b"\n".join(raw)
        raw.pop()
        if _has_line_over(self._limit, block) and max(map(len, raw)) > self._limit:
            raise Refused(TOO_LONG)
        handler = self.handler
        if handler is None:
            self._spool.append(block)
            return
        lines = raw
        if block.startswith(b".") or _LATER_DOT.search(block):
            if b"." in raw:
                raise ProtocolError("data lines behind the final dot")
            lines = [line[1:] if line.startswith(b".") else line for line in raw]
        if isinstance(handler, HeldMessage):
            self._spool.append(block)
            self._show(handler, lines)
        else:
            edited = block
            try:
                edited = self._edit(handler, lines, block)
            finally:
                self._spool.append(edited)

    def _show(self, handler: HeldMessage, lines: list[bytes]) -> None:
        if not self._in_body:
            header, lines = self._cut(lines)
            if header:
                _shown(handler.header, header)
        if lines:
            _shown(handler.body, lines)

    def _edit(self, handler: StreamedMessage, lines: list[bytes], block: bytes) -> bytes:
        if self._in_body:
            edited = handler.body(lines)
            return block if edited is lines else self._stuff(edited)
        header, body = self._cut(lines)
        new_header = handler.header(header) if header else header
        new_body = handler.body(body) if body else body
        for edited in (new_header, new_body):
            if not isinstance(edited, list | tuple):
                raise DecisionError(f"lines were answered with a {type(edited).__name__}")
        if new_header is header and new_body is body:
            return block
        blank: list[bytes] = [b""] if self._in_body else []
        return self._stuff([*new_header, *blank, *new_body])

    def _cut(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Return header and body lines of a run that begins in the header."""
        if b"" not in lines:
            return lines, []
        self._in_body = True
        blank = lines.index(b"")
        return lines[:blank], lines[blank + 1 :]

    def _stuff(self, lines: Sequence[bytes]) -> bytes:
        """Return a handler's lines as a block that smtpd takes. Raises DecisionError, TypeError."""
        if not isinstance(lines, list | tuple):  # a forgotten return would lose the lines
            raise DecisionError(f"lines were answered with a {type(lines).__name__}")
        if not lines:
            return b""
        lines = [b"." + line if line.startswith(b".") else line for line in lines]
        block = b"\n".join(lines)
        if block.count(b"\n") != len(lines) - 1 or b"\0" in block:
            raise DecisionError("a line of a message holds a line feed or NUL")
        if max(map(len, lines)) > self._limit:
            raise DecisionError("a line of a message is longer than smtpd takes")
        return block + b"\n"

    def close_input(self, front: object) -> None:
        """End the message with the handler's last lines; from now on the final dot may go out.

        ``front`` stands in front of a held message, and behind any other. Raises DecisionError or
        TypeError for an object that is no list of lines, SpoolError, and then nothing is changed.
        """
        if not isinstance(front, list | tuple):
            raise DecisionError(f"a message ends in a list of lines, not {type(front).__name__}")
        block = self._stuff(front)
        if self.state == HELD:
            self._front = block
        elif block:
            self._spool.append(block)
        self._become(ENDED)

    def detach(self) -> None:
        """Show no more lines to the handler, and hold none: the rest goes out untouched."""
        self.handler = None
        if self.state == HELD:
            self._become(OPEN)

    def discard_lines(self) -> None:
        """Drop all lines; only the final dot is still to be sent."""
        self.detach()
        self._front = b""
        self._spool.close()

    def discard(self) -> None:
        """Drop all lines and the final dot: smtpd waits for nothing any more."""
        self.discard_lines()
        if self.state != SENT:
            self._become(SENT)

    def wants_to_send(self) -> bool:
        """Return whether there is anything that may go out now."""
        return self.state == ENDED or (self.state == OPEN and len(self._spool) > 0)

    def take(self, size: int) -> bytes:
        """Return about ``size`` bytes for smtpd; the last ones hold the final dot."""
        block = self._front + self._spool.take(size) if self._front else self._spool.take(size)
        self._front = b""
        out = self.prefix + block[:-1].replace(b"\n", self._separator) + b"\n" if block else b""
        if self.state == ENDED and not len(self._spool):
            self._become(SENT)
            self._spool.close()
            out += self.prefix + b".\n" + self.trailer
        return out

    def __len__(self) -> int:
        """Return the bytes that wait here."""
        return len(self._spool) + len(self._front)


def _shown(show: Callable[[list[bytes]], object], lines: list[bytes]) -> None:
    result = show(lines)
    if result is not None:  # a coroutine above all: the message would pass unseen
        raise DecisionError(f"a held message's lines were answered with a {type(result).__name__}")


def _has_line_over(limit: int, block: bytes) -> bool:
    """Return whether a line of ``block`` may be longer than ``limit``: looks at a few places only.

    Such a line covers a window of half its length whole, so that no line feed is found there.
    """
    if len(block) <= limit:
        return False
    window = limit // 2
    places = range(0, len(block) - window, window)
    return any(block.find(b"\n", at, at + window) < 0 for at in places)
