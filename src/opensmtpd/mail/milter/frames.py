"""Frames of the milter protocol: a length, a letter that says what it is, and data.

The length counts the letter and the data (``mi_rd_cmd`` and ``mi_wr_cmd`` in libmilter's
``comm.c``). A milter is not trusted: its frames are bounded.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from opensmtpd.errors import LocalError, ProtocolError

DATA_MAX = 65_535
"""Bytes of data in a frame to a milter: it takes no more (MILTER_MAX_DATA_SIZE, MILTER_CHUNK_SIZE).
"""
REPLY_FRAME_MAX = 1 << 20
"""Bytes of a frame from a milter, letter and data, at most."""
_LENGTH = struct.Struct("!I")


class Frame(NamedTuple):
    """A frame from a milter."""

    letter: bytes
    """One byte."""
    data: bytes


def frame(letter: bytes, data: bytes = b"") -> bytes:
    """Return the bytes of a frame to a milter. Raises LocalError for more than DATA_MAX bytes."""
    if len(data) > DATA_MAX:
        raise LocalError(f"{len(data)} bytes for a milter, more than {DATA_MAX}")
    return _LENGTH.pack(len(data) + 1) + letter + data


class MilterFrames:
    """The bytes that came from a milter and are no whole frame yet."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    @property
    def empty(self) -> bool:
        """Return whether nothing waits: no part of a frame, and no frame that nobody took."""
        return not self._bytes

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes, and yield each frame that they complete.

        Raises ProtocolError for a frame without a letter, and for one of more than REPLY_FRAME_MAX
        bytes as soon as its length is there.
        """
        self._bytes += data
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if not 1 <= length <= REPLY_FRAME_MAX:
                raise ProtocolError(f"a frame of {length} bytes from the milter")
            start, end = _LENGTH.size, _LENGTH.size + length
            if end > len(self._bytes):
                return
            content = bytes(self._bytes[start:end])
            del self._bytes[:end]  # moves nothing, and leaves in ``empty`` what came behind
            yield Frame(content[:1], content[1:])
