"""A message that is held to be edited: its header leaves the spool when the handler reads it.

The header is kept in memory from then on, once as it came and once as the handler reads it: its
bytes are counted twice, and a share for each of its lines (``HEADER_MAX``, ``Budget.reservable``).
A handler whose ``end`` waits for others, and edits afterwards, so keeps none while it waits.
The body stays in the spool, whatever its size.
"""

from opensmtpd._protocol.filter.held import show_parts
from opensmtpd._protocol.filter.message_lines import Parts, stuff, stuff_block, unstuff_block
from opensmtpd._protocol.filter.spool import Spool
from opensmtpd.answer import Deferred
from opensmtpd.errors import DecisionError, HandlerTimeout, Refused, SpoolError
from opensmtpd.filter import Reject
from opensmtpd.filter.edits import Edits
from opensmtpd.filter.message import EditedMessage

HEADER_MAX = 4 * 1024 * 1024
"""Bytes that the header of one message may take."""
LINE_COST = 512
"""Bytes that a line of a header takes beyond its own: objects for a field of it."""
BLOCK = 64 * 1024
"""Bytes of a body that are spooled as a block: it goes to smtpd whole."""
HEADER_TOO_LARGE = Reject(550, "5.6.0 Message refused: its header is too large")


class Edited:
    """An EditedMessage at work on one message."""

    __slots__ = (
        "_cost",
        "_edits",
        "_handler",
        "_header",
        "_limit",
        "_lost",
        "_parts",
        "_size",
        "_spool",
    )

    def __init__(self, handler: EditedMessage, limit: int, spool: Spool) -> None:
        if handler._taken:
            raise DecisionError(f"a {type(handler).__name__} edits one message: make one for each")
        handler._taken = True
        handler._held = self
        self._handler, self._limit, self._spool = handler, limit, spool
        self._parts = Parts()
        self._size = self._cost = 0
        """The bytes of the header in the spool, and those that it takes in memory."""
        self._header = b""
        self._edits: Edits | None = None
        self._lost: SpoolError | None = None
        """Why the header could not be taken out of the spool."""

    def receive(self, lines: list[bytes], block: bytes) -> None:
        """Keep a run, and show it to the handler. Raises Refused for a header too large."""
        if not self._parts.in_body:
            block = self._keep_header(block)
        if block:
            self._spool.append(block)
        show_parts(self._handler, self._parts, lines)

    @property
    def come(self) -> int:
        """The bytes of the message that have come: see ``HeldLines``."""
        return self._spool.appended

    def look(self, at: int, size: int) -> tuple[int, bytes]:
        """Return the place behind the lines from byte ``at`` on, and these: see ``HeldLines``."""
        if self._lost is not None:
            raise self._lost
        header = self._header  # the spool has it no more
        if at < len(header):
            block = header[at : header.find(b"\n", at + size) + 1 or None]
        else:
            block = self._spool.look(at - len(header), size)
        return at + len(block), unstuff_block(block)

    def _keep_header(self, block: bytes) -> bytes:
        """Spool the header's part of a run as a block of its own; return the rest."""
        end = 0 if block.startswith(b"\n") else block.find(b"\n\n") + 1 or len(block)
        self._size += end
        self._cost += 2 * end + LINE_COST * block.count(b"\n", 0, end)
        if self._cost > HEADER_MAX:
            raise Refused(HEADER_TOO_LARGE)
        if end:
            self._spool.append(block[:end])
        return block[end:]

    def end(self) -> object:
        """Call the handler's ``end()``. The header is read when it is asked for.

        What goes on in a thread, or may do so, finds it read: a spool belongs to one thread.
        """
        self._handler._load = self._read
        answer = self._handler.end()
        if answer is not None and not isinstance(answer, Deferred):
            self._read()
        return answer

    def _read(self) -> Edits:
        """Take the header out of the spool, and return it for the handler to edit.

        Raises SpoolError, and then the message cannot go on.
        """
        if self._lost is not None:
            raise self._lost
        if self._edits is None:
            try:
                self._edits = self._take()
            except (HandlerTimeout, Exception) as error:  # of a disk that hangs, say
                fault = str(error) or type(error).__name__
                self._lost = (
                    error
                    if isinstance(error, SpoolError)
                    else SpoolError(f"cannot read the spool: {fault}")
                )
                raise self._lost from None
        return self._edits

    def _take(self) -> Edits:
        self._spool.reserve(self._cost)
        blocks: list[bytes] = []
        missing = self._size
        while missing:
            blocks.append(self._spool.take(missing))
            missing -= len(blocks[-1])
        self._header = b"".join(blocks)
        return Edits(unstuff_block(self._header), self._limit)

    def close(self, answer: object) -> bytes:
        """Make the edits to the body in the spool; return the header with those to it."""
        if answer is not None:
            raise DecisionError(f"an edited message ends in None, not {type(answer).__name__}")
        self._handler._load = self._handler._held = None
        if self._lost is not None:  # a handler has caught the error
            raise self._lost
        edits = self._edits
        if edits is None:
            return b""
        if isinstance(edits.body, bytes):
            self._spool.truncate()
            self._append_whole(edits.body)
            self._append(edits.appended, blank=False)
        elif edits.body is not None:
            self._spool.truncate()
            self._append([*edits.body, *edits.appended], blank=self._parts.in_body)
        elif edits.appended:
            self._append(edits.appended, blank=False)
        header = stuff_block(edits.header()) if edits.header_changed else self._header
        # From now on it is bytes, and no fields: others may need the memory before it is sent.
        self._spool.unreserve(max(0, self._cost - len(header)))
        return header

    def _append_whole(self, body: bytes) -> None:
        """Add a body behind a blank line, in blocks of the size in which one comes from smtpd."""
        if body or self._parts.in_body:
            self._parts.in_body = True
            self._spool.append(b"\n")
        start = 0
        while start < len(body):
            end = body.rfind(b"\n", start, start + BLOCK) + 1 or body.index(b"\n", start) + 1
            self._spool.append(stuff_block(body[start:end]))
            start = end

    def _append(self, lines: list[bytes], *, blank: bool) -> None:
        """Add lines behind what is in the spool, and a blank one where there must be one."""
        if lines and not self._parts.in_body:
            blank = True
        block = b"\n" * blank + stuff(lines, self._limit)
        if block:
            self._spool.append(block)

    def detach(self) -> tuple[bytes, bytes]:
        """Forget the edits, and return the header if it has left the spool."""
        self._handler._load = self._handler._held = None
        return self._header, b""
