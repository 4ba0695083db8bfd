"""Body hashes: both canonicalizations of RFC 6376 section 3.4, a run of lines at a time.

No memory but the hash: empty lines at the end of what has come so far are counted, not kept.
"""

from collections.abc import Callable
from hashlib import sha256

_CRLF = b"\r\n"
_MANY = 8192
_MANY_CRLF = _CRLF * _MANY


class SimpleBody:
    """The hash of a body in "simple" canonicalization (RFC 6376 section 3.4.3)."""

    __slots__ = ("_hash", "_held", "_seen", "_update")

    empty = _CRLF
    """The bytes that stand for a body without any content (RFC 6376 section 3.4.3)."""

    def __init__(self, update: Callable[[bytes], None] | None = None) -> None:
        """``update`` takes the canonical body, a piece at a time, where no digest is wanted."""
        self._hash = sha256()
        self._update = update or self._hash.update
        self._held = 0  # line ends not hashed yet: they count only if something follows
        self._seen = False

    def feed(self, lines: list[bytes]) -> None:
        """Take the next run of lines, bytes without line ends and without dot-stuffing."""
        if lines:
            self._feed(lines, _CRLF.join(lines))

    def _feed(self, lines: list[bytes], block: bytes) -> None:
        """Hash a run; ``block`` is the same lines, joined."""
        end = len(lines)
        while end and not lines[end - 1]:
            end -= 1
        if end:
            self._release()
            empty = len(lines) - end
            self._update(block[: -len(_CRLF) * empty] if empty else block)
            self._seen = True
            self._held = 1 + empty
        else:
            self._held += len(lines)

    def _release(self) -> None:
        """Hash the line ends that were held back, in pieces: there may be millions."""
        while self._held > _MANY:
            self._update(_MANY_CRLF)
            self._held -= _MANY
        if self._held:
            self._update(_CRLF * self._held)

    def end(self) -> None:
        """Take the end of the body; the last call where ``update`` takes it."""
        self._update(_CRLF if self._seen else self.empty)

    def digest(self) -> bytes:
        """Return the SHA-256 digest of the whole body; the last call."""
        self.end()
        return self._hash.digest()


class RelaxedBody(SimpleBody):
    """The hash of a body in "relaxed" canonicalization (RFC 6376 section 3.4.4)."""

    __slots__ = ()

    empty = b""

    def feed(self, lines: list[bytes]) -> None:
        """Take the next run of lines, bytes without line ends and without dot-stuffing."""
        if not lines:
            return
        block = _CRLF.join(lines)
        if _needs_squeezing(block):
            block = squeeze(block).replace(b" \r\n", _CRLF).removesuffix(b" ")
            lines = block.split(_CRLF)
        self._feed(lines, block)


def _needs_squeezing(block: bytes) -> bool:
    """Return whether ``block`` holds white space that "relaxed" changes."""
    if b"\t" in block:
        return True
    return b" " in block and (b"  " in block or b" \r\n" in block or block.endswith(b" "))


def squeeze(text: bytes) -> bytes:
    """Return ``text`` with each run of spaces and tabs reduced to one space.

    By halving, which takes as many passes as the longest run has binary digits: a client cannot
    make this slow, as it could a regular expression.
    """
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text
