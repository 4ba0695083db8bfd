"""The lines of a message, as smtpd sends them and as handlers see them.

smtpd's lines have their dots doubled (RFC 5321 section 4.5.2), and come as blocks: bytes of whole
lines, each with its line feed. Handlers see lists of lines without line ends, dots undone.
"""

import re
from collections.abc import Callable, Sequence

from opensmtpd.errors import DecisionError, ProtocolError, returned

_FIRST_DOT = re.compile(rb"^\.", re.MULTILINE)


def check_lines(lines: object, method: str, handler: object) -> Sequence[bytes]:
    """Return what a handler's ``method`` returned; raise DecisionError where it is no list."""
    if not isinstance(lines, list | tuple):  # a forgotten return would lose the lines
        raise DecisionError(
            f"{method} {returned(lines)}: return a list of lines", method=getattr(handler, method)
        )
    return lines


def stuff(lines: Sequence[bytes], limit: int, method: object = None) -> bytes:
    """Return a handler's lines as a block that smtpd takes.

    ``limit`` is the number of bytes that a line may have, and ``method`` returned the lines.
    Raises DecisionError.
    """
    if not lines:
        return b""
    try:
        stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
        block = b"\n".join(stuffed)
    except (TypeError, AttributeError):
        wrong = next((line for line in lines if not isinstance(line, bytes)), lines)
        text = f"lines are bytes, not {type(wrong).__name__}"
        raise DecisionError(text, method=method) from None
    if block.count(b"\n") != len(stuffed) - 1 or b"\0" in block:
        raise DecisionError("a line of a message holds a line feed or NUL", method=method)
    if max(map(len, stuffed)) > limit:
        raise DecisionError("a line of a message is longer than smtpd takes", method=method)
    return block + b"\n"


def unstuff(lines: list[bytes], block: bytes) -> list[bytes]:
    """Return smtpd's lines as handlers see them; the same list where no line begins with a dot.

    ``block`` holds the same lines. Raises ProtocolError for a final dot among them.
    """
    if b"." not in block:  # most bytes of large messages are base64, and one byte is found faster
        return lines
    if not block.startswith(b".") and b"\n." not in block:
        return lines
    if b"." in lines:
        raise ProtocolError("data lines behind the final dot")
    return [line[1:] if line.startswith(b".") else line for line in lines]


def stuff_block(block: bytes) -> bytes:
    """Return a block with the dot at the beginning of each line doubled."""
    if not block.startswith(b".") and b"\n." not in block:
        return block
    return _FIRST_DOT.sub(b"..", block)


def unstuff_block(block: bytes) -> bytes:
    """Return a block without the first dot of each line that begins with one."""
    if not block.startswith(b".") and b"\n." not in block:
        return block
    return _FIRST_DOT.sub(b"", block)


def show(method: str, handler: object, lines: list[bytes]) -> None:
    """Show lines to a handler that only looks at them. Raises DecisionError where it answers."""
    see: Callable[[list[bytes]], object] = getattr(handler, method)
    result = see(lines)
    if result is not None:  # a coroutine above all: the message would pass unseen
        raise DecisionError(f"{method} {returned(result)}: return nothing", method=see)


def has_line_over(limit: int, block: bytes) -> bool:
    """Return whether a line of ``block`` may be longer than ``limit``: looks at a few places only.

    Such a line covers a window of half its length whole, so that no line feed is found there.
    """
    if len(block) <= limit:
        return False
    window = limit // 2
    places = range(0, len(block) - window, window)
    return any(block.find(b"\n", at, at + window) < 0 for at in places)


class Parts:
    """Cuts the runs of a message at the blank line between header and body."""

    __slots__ = ("in_body",)

    def __init__(self) -> None:
        self.in_body = False
        """True when the blank line has come."""

    def cut(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Return header and body lines of a run, without the blank line."""
        if self.in_body:
            return [], lines
        if b"" not in lines:
            return lines, []
        self.in_body = True
        blank = lines.index(b"")
        return lines[:blank], lines[blank + 1 :]
