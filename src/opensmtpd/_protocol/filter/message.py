"""A message in flight: the lines of one DATA on their way through us, for one token.

The plugin sees lines without dot-stuffing, header and body apart. Lines that it does not change
leave byte for byte as they came, because the spool keeps them as smtpd sent them. The kinds of
handlers differ in what becomes of a run and of the end: ``Held``, ``Edited`` and ``Streamed``.
"""

from typing import Final, Literal, Protocol, TypeAlias

from opensmtpd._protocol.filter.edited import Edited
from opensmtpd._protocol.filter.held import Held
from opensmtpd._protocol.filter.message_lines import has_line_over, unstuff
from opensmtpd._protocol.filter.spool import Budget, Spool
from opensmtpd._protocol.filter.streamed import Streamed
from opensmtpd._protocol.filter.wire import dataline_prefix
from opensmtpd.errors import DecisionError, Refused, SpoolError, returned
from opensmtpd.filter import Reject
from opensmtpd.filter.message import EditedMessage, HeldMessage, MessageHandler, StreamedMessage

ANSWER_MAX = 65536
"""Bytes of a line to smtpd, line feed included.

smtpd's buffer for our lines holds so many (``IOBUF_MAX`` in ``iobuf.c``). On a longer line the
lookup process of 7.6 and 7.9 spins without end. Clients may send lines of 65,534 bytes: such a
line, sent back unchanged behind its prefix, would stop the server.
"""

TOO_LARGE = Reject(552, "5.3.4 Message refused: it is too large")

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


class MessageKind(Protocol):
    """A handler at work on one message: the part of a Message that depends on the kind."""

    def receive(self, lines: list[bytes], block: bytes) -> None:
        """Take a run: as the handler sees it, and as it came.

        Raises SpoolError, and any exception of the handler's; then the run is spooled as it came.
        """

    def end(self) -> object:
        """Call the handler's ``end()``: all lines are in. Raises SpoolError, and its exceptions."""

    def close(self, answer: object) -> bytes:
        """Take what ``end()`` returned; return the lines to stand in front of the spool's.

        Raises DecisionError, and then nothing is changed; raises SpoolError.
        """

    def detach(self) -> tuple[bytes, bytes]:
        """Stop; return lines to stand in front of the spool's, and behind them, before any that
        still come.
        """


class Message:
    """The lines of one message between smtpd and a handler."""

    __slots__ = (
        "_due",
        "_front",
        "_kind",
        "_left",
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
        self.handler: MessageHandler | None = None
        self.prefix = dataline_prefix(session, token)
        self.state: State = OPEN
        self.queued = False
        """True while Transfers has it queued to be sent; after SENT, too, until its turn ends."""
        self.trailer = b""
        """Lines to send behind the final dot: the answers that must not overtake it."""
        self._due = b""
        """The blank line that a StreamedMessage had not sent yet when it failed, or nothing.

        It goes out before the next line, or before the final dot.
        """
        self._front = b""
        self._spool = Spool(budget)
        self._kind: MessageKind | None = None
        self._left = budget.message
        """Bytes that may still come, None for any number."""
        self._separator = b"\n" + self.prefix
        self._limit = ANSWER_MAX - 1 - len(self.prefix)

    def attach(self, handler: object) -> None:
        """Show the lines to ``handler``, None for nobody.

        Raises DecisionError for an object that is no message handler.
        """
        if isinstance(handler, StreamedMessage):
            self._kind = Streamed(handler, self._limit, self._spool)
        elif isinstance(handler, HeldMessage):
            self._kind = Held(handler, self._limit, self._spool)
        elif isinstance(handler, EditedMessage):
            self._kind = Edited(handler, self._limit, self._spool)
        elif handler is not None:
            remedy = "return a message handler or None"
            raise DecisionError(f"on_message {returned(handler)}: {remedy}")
        self.handler = handler
        if isinstance(handler, HeldMessage | EditedMessage):
            self._become(HELD)

    def _become(self, state: State) -> None:
        assert state in _NEXT[self.state], f"a message cannot be {state} after {self.state}"
        self.state = state

    def receive(self, raw: list[bytes]) -> None:
        """Take a run of lines as smtpd sent them, without the final dot.

        Raises Refused, with nothing spooled, for a line that is too long to be sent back, for a
        header that is too large to be edited, and for a message that is larger than it may be.
        Raises SpoolError where lines are lost, whatever the reason: no room, no memory, a final
        dot amid the run. Raises any exception of the handler's; then the run is spooled as it
        came.
        """
        spooled, size = self._spool.appended, 1
        try:
            raw.append(b"")
            block = b"\n".join(raw)
            raw.pop()
            size = len(block)
            self._receive(raw, block)
        except (Refused, SpoolError):
            raise
        except Exception as error:
            if self._spool.appended - spooled < size:
                raise SpoolError(f"lines are lost: {type(error).__name__}: {error}") from error
            raise

    def _receive(self, raw: list[bytes], block: bytes) -> None:
        if self._left is not None:
            self._left -= len(block)
            if self._left < 0:
                raise Refused(TOO_LARGE)
        if has_line_over(self._limit, block) and max(map(len, raw)) > self._limit:
            raise Refused(TOO_LONG)
        if self._kind is None:
            if self._due:
                block, self._due = self._due + block, b""
            self._spool.append(block)
            return
        self._kind.receive(unstuff(raw, block), block)

    def end(self) -> object:
        """Call ``end()`` of the handler: all lines are in. Raises SpoolError, and its exceptions.

        Returns what ``close_input`` is to be given, or something that leads to it.
        """
        assert self._kind is not None, "a message without a handler"
        return self._kind.end()

    def close_input(self, front: object) -> None:
        """End the message with what the handler's ``end()`` returned; the final dot may go out.

        Lines stand in front of a held message, and behind a streamed one; an edited one has none.
        Raises DecisionError for an object that ``end()`` may not return, and then nothing is
        changed; raises SpoolError.
        """
        if self._kind is not None:
            try:
                self._front = self._kind.close(front)
            except (DecisionError, SpoolError):
                raise
            except Exception as error:  # no memory, say: the message may be half edited
                raise SpoolError(f"cannot end the message: {type(error).__name__}") from error
            self._kind = None
        self._become(ENDED)

    def detach(self) -> None:
        """Show no more lines to the handler, and hold none: the rest goes out untouched."""
        self.handler = None
        if self._kind is not None:
            self._front, self._due = self._kind.detach()
            self._kind = None
        if self.state == HELD:
            self._become(OPEN)

    def discard_lines(self) -> None:
        """Drop all lines; only the final dot is still to be sent."""
        self.detach()
        self._due = self._front = b""
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
        """Return about ``size`` bytes for smtpd; the last ones hold the final dot.

        Raises SpoolError, MemoryError, and then lines are lost, but the final dot is not.
        """
        block = self._front + self._spool.take(size) if self._front else self._spool.take(size)
        self._front = b""
        out = self.prefix + block[:-1].replace(b"\n", self._separator) + b"\n" if block else b""
        if self.state == ENDED and not len(self._spool):
            left = self.prefix + self._due if self._due else b""
            out += left + self.prefix + b".\n" + self.trailer
            self._spool.close()
            self._become(SENT)
        return out

    def __len__(self) -> int:
        """Return the bytes that wait here."""
        return len(self._spool) + len(self._front)
