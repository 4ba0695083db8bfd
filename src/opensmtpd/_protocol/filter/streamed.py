"""A message that flows through its handler: each run goes out as the handler returned it.

The blank line between header and body is sent late: with the first body line that is sent, or at
the end. So a handler that keeps everything back, and returns the whole message from ``end()``,
sends no blank line first, and the cuts between runs make no difference.
"""

from opensmtpd._protocol.filter.message_lines import Parts, check_lines, stuff
from opensmtpd._protocol.filter.spool import Spool
from opensmtpd.filter.message import StreamedMessage

BLANK = b"\n"


class Streamed:
    """A StreamedMessage at work on one message."""

    __slots__ = ("_due", "_handler", "_limit", "_parts", "_sent", "_spool")

    def __init__(self, handler: StreamedMessage, limit: int, spool: Spool) -> None:
        self._handler, self._limit, self._spool = handler, limit, spool
        self._parts = Parts()
        self._due = b""
        """The blank line, when it came and is still to be sent."""
        self._sent = False
        """True when any line of the message has been sent."""

    def receive(self, lines: list[bytes], block: bytes) -> None:
        """Send what the handler makes of a run; the run itself, where the handler fails."""
        due = self._due
        edited = due + block
        try:
            edited = self._edit(lines, block)
        except BaseException:
            self._due = b""
            raise
        finally:
            if edited:
                self._sent = True
                self._spool.append(edited)

    def _edit(self, lines: list[bytes], block: bytes) -> bytes:
        if self._parts.in_body:
            edited = self._handler.body(lines)
            return self._with_blank(block if edited is lines else self._block("body", edited))
        header, body = self._parts.cut(lines)
        new_header = self._handler.header(header) if header else header
        new_body = self._handler.body(body) if body else body
        check_lines(new_header, "header", self._handler)
        check_lines(new_body, "body", self._handler)
        untouched = new_header is header and new_body is body
        if untouched and (body or not self._parts.in_body):
            return block
        front, rest = self._block("header", new_header), self._block("body", new_body)
        if self._parts.in_body:
            self._due = BLANK
        return front + self._with_blank(rest)

    def _block(self, method: str, lines: object) -> bytes:
        """Return what a method of the handler returned as a block. Raises DecisionError."""
        checked = check_lines(lines, method, self._handler)
        return stuff(checked, self._limit, getattr(self._handler, method))

    def _with_blank(self, body: bytes) -> bytes:
        """Return body lines to send, behind the blank line where that is due."""
        if not (body and self._due):
            return body
        self._due = b""
        return BLANK + body

    def end(self) -> object:
        """Call the handler's ``end()``."""
        return self._handler.end()

    def close(self, answer: object) -> bytes:
        """Send the handler's last lines.

        They are the whole message where nothing of it has been sent; an empty message keeps its
        blank line.
        """
        block = self._block("end", answer)
        if self._sent or not block:
            block = self._due + block
        if block:
            self._spool.append(block)
        self._due = b""
        return b""

    def detach(self) -> tuple[bytes, bytes]:
        """Return the blank line where it is due: it stands before all that still comes."""
        return b"", self._due
