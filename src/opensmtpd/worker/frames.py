"""Frames between a front and its workers: plain data in msgpack, with a version and a length.

Neither side trusts the other: a frame is bounded, and bytes that are no frame are an error.
"""

import struct
from collections.abc import Iterator
from typing import Any

import msgpack

from opensmtpd.errors import LocalError, ProtocolError

FRAME_MAX = 1 << 20
"""Bytes of the data in one frame, at most."""
LOADED_MAX = 64 << 20
"""The same for what a stem returns that has loaded: it has seen nothing of a client."""
KEPT_MAX = 1 << 16
"""Bytes of data after which a packer is kept: its buffer stays as large as the data were."""
_VERSION = 1
_HEAD = struct.Struct("!BI")
_packers: list[msgpack.Packer] = []
"""Those that nobody uses now: to make one takes longer than to pack a request."""


def pack(data: object, limit: int = FRAME_MAX) -> bytes:
    """Return a frame. Raises LocalError for data over ``limit`` bytes, or that is not plain."""
    # Taken out meanwhile: pack() may be called within pack(), by a finalizer, and by other threads.
    try:
        packer = _packers.pop()
    except IndexError:
        packer = msgpack.Packer(unicode_errors="surrogateescape")
    try:
        body: bytes = packer.pack(data)
    except (TypeError, ValueError, OverflowError) as error:
        raise LocalError(f"not plain data: {type(error).__name__}") from None
    if len(body) <= KEPT_MAX:  # and not where it failed: a part of the data may be in it
        _packers.append(packer)
    if len(body) > limit:
        raise LocalError(f"{len(body)} bytes for a worker, more than {limit}")
    return _HEAD.pack(_VERSION, len(body)) + body


def whole(data: bytes) -> Any:
    """Return the data of a frame, where the bytes are one and nothing else; None where not."""
    if len(data) < _HEAD.size or _HEAD.unpack_from(data) != (_VERSION, len(data) - _HEAD.size):
        return None
    if len(data) > FRAME_MAX:
        return None
    try:
        return _unpack(data[_HEAD.size :])
    except ProtocolError:
        return None


class FrameBuffer:
    """The bytes that came and are no whole frame yet, whose data has ``limit`` bytes at most."""

    def __init__(self, limit: int = FRAME_MAX) -> None:
        self._limit = limit
        self._bytes = bytearray()

    @property
    def empty(self) -> bool:
        """Return whether no part of a frame waits for the rest."""
        return not self._bytes

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take bytes, and yield the data of each frame that they complete. Raises ProtocolError."""
        self._bytes += data
        begin = 0
        try:
            while len(self._bytes) - begin >= _HEAD.size:
                version, length = _HEAD.unpack_from(self._bytes, begin)
                if version != _VERSION or length > self._limit:
                    raise ProtocolError(f"a frame of version {version} with {length} bytes")
                end = begin + _HEAD.size + length
                if end > len(self._bytes):
                    break
                body = bytes(self._bytes[begin + _HEAD.size : end])
                begin = end
                yield _unpack(body)
        finally:
            del self._bytes[:begin]


def _unpack(body: bytes) -> Any:
    try:
        return msgpack.unpackb(body, unicode_errors="surrogateescape", strict_map_key=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolError(f"a frame that holds no data: {type(error).__name__}") from None
