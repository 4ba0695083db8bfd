"""A message that is held: its lines wait, unchanged, for the lines to put in front of them."""

from opensmtpd._protocol.filter.message_lines import Parts, check_lines, show, stuff
from opensmtpd._protocol.filter.spool import Spool
from opensmtpd.filter.message import EditedMessage, HeldMessage


def show_parts(handler: HeldMessage | EditedMessage, parts: Parts, lines: list[bytes]) -> None:
    """Show a run to ``header`` and ``body``, neither with an empty list."""
    header, body = parts.cut(lines)
    if header:
        show("header", handler, header)
    if body:
        show("body", handler, body)


class Held:
    """A HeldMessage at work on one message."""

    __slots__ = ("_handler", "_limit", "_parts", "_spool")

    def __init__(self, handler: HeldMessage, limit: int, spool: Spool) -> None:
        self._handler, self._limit, self._spool = handler, limit, spool
        self._parts = Parts()

    def receive(self, lines: list[bytes], block: bytes) -> None:
        """Keep a run, and show it to the handler."""
        self._spool.append(block)
        show_parts(self._handler, self._parts, lines)

    def end(self) -> object:
        """Call the handler's ``end()``."""
        return self._handler.end()

    def close(self, answer: object) -> bytes:
        """Return the handler's lines for the front."""
        return stuff(check_lines(answer, "end", self._handler), self._limit)

    def detach(self) -> tuple[bytes, bytes]:
        """Return nothing: all lines are in the spool."""
        return b"", b""
