"""The protocol of Redis and Valkey, version 2: commands as bytes, and bytes as replies.

A reply is ``bytes`` (a string), ``int``, ``None`` (nil), a list of replies, a
RespStatus or a RespFailure.
Source: https://valkey.io/topics/protocol/ ("RESP2"). A server speaks version 3 only where it is
told to by HELLO.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from opensmtpd.errors import ServerLost

SIZE_MAX = 4 * 1024 * 1024
"""Bytes of all replies to one exchange."""
COUNT_MAX = 100_000
"""Elements of all arrays of one exchange."""
DEPTH_MAX = 8
"""Arrays in arrays."""
LINE_MAX = 8192
"""Bytes of a line: a status, an error, a number."""


class RespStatus(str):
    """A status, such as OK."""

    __slots__ = ()


class RespFailure(str):
    """An error that the server answers a command with: a code in capitals, and a text."""

    __slots__ = ()

    @property
    def code(self) -> str:
        """The first word."""
        return self.partition(" ")[0]


RespReply: TypeAlias = "bytes | int | RespStatus | RespFailure | list[RespReply] | None"

_NUMBER = re.compile(rb"-?[0-9]{1,19}")
_NIL = -1
_STRING, _ARRAY = b"$", b"*"
_NIL_HEAD, _NIL_REPLY, _ZERO_REPLY = b"$-1", b"$-1\r\n", b":0\r\n"


class _More:
    """Stands for a reply that has not come yet."""


_MORE: Final = _More()


def pack(words: Sequence[bytes]) -> bytes:
    """Return a command, as it goes to the server."""
    return b"*%d\r\n" % len(words) + b"".join([string(word) for word in words])


def string(word: bytes) -> bytes:
    """Return one word of a command."""
    return b"$%d\r\n%b\r\n" % (len(word), word)


def simple(data: bytes, count: int) -> list[RespReply] | None:
    """Return the replies that the bytes are exactly, where these are simple ones.

    That is a string, a nil, or an array of these, without line ends in the strings, and of several
    only nils or zeros. None stands for all else, which needs a RespReader. Most replies are simple,
    and a reader takes 10 us for each.
    """
    parts = data.split(b"\r\n", -1 if count == 1 else 0)
    if len(parts) == 3 and parts[0] == b"$%d" % len(parts[1]) and not parts[2]:
        return [parts[1]]
    if data == _NIL_REPLY * count:
        return [None] * count
    if data == _ZERO_REPLY * count:
        return [0] * count
    return _simple_array(parts) if data[:1] == _ARRAY and count == 1 and not parts[-1] else None


def _simple_array(parts: list[bytes]) -> list[RespReply] | None:
    texts = parts[2::2]
    heads = [b"$%d" % len(text) for text in texts]
    if parts[1:-1:2] == heads and len(parts) % 2 == 0:  # there is no nil
        found: list[RespReply] = [*texts]
    else:
        found = []
        words = iter(parts[1:-1])
        for head in words:
            if head == _NIL_HEAD:
                found.append(None)
                continue
            text = next(words, None)
            if text is None or head != b"$%d" % len(text):
                return None
            found.append(text)
    return [found] if parts[0] == b"*%d" % len(found) and len(found) <= COUNT_MAX else None


class RespReader:
    """Reads the replies to one exchange, however their bytes are cut."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        self._size = self._count = 0
        self._length: int | None = None
        """Of the string whose head was read."""
        self._open: list[tuple[list[RespReply], int]] = []
        """The arrays that are not complete, and the number of their elements."""

    def feed(self, data: bytes) -> list[RespReply]:
        """Take bytes and return the replies that are complete by them.

        Raises ServerLost for what is no reply, and for one that is too large.
        """
        self._size += len(data)
        if self._size > SIZE_MAX:
            raise ServerLost(f"it answers more than {SIZE_MAX} bytes")
        self._data += data
        replies: list[RespReply] = []
        while not isinstance(reply := self._next(), _More):
            replies.append(reply)
        del self._data[: self._at]
        self._at = 0
        return replies

    @property
    def rest(self) -> bool:
        """There are bytes, or a part of an array, that make up no reply yet."""
        return bool(self._data or self._open or self._length is not None)

    def _next(self) -> "RespReply | _More":
        while not isinstance(item := self._item(), _More):
            while self._open:
                array, count = self._open[-1]
                array.append(item)
                if len(array) < count:
                    break
                item = self._open.pop()[0]
            else:
                return item
        return _MORE

    def _item(self) -> "RespReply | _More":
        """Return a reply that is no array, or an empty one; open those that have elements."""
        while self._length is None:
            line = self._line()
            if isinstance(line, _More):
                return _MORE
            kind = line[:1]
            if kind in _LINES:
                return _LINES[kind](line[1:])
            if (number := _size(line)) == _NIL:
                return None
            if kind == _STRING:
                self._length = number
            elif number == 0:
                return []
            else:
                self._begin(number)
        return self._string(self._length)

    def _line(self) -> "bytes | _More":
        end = self._data.find(b"\r\n", self._at, self._at + LINE_MAX)
        if end < 0:
            if len(self._data) - self._at >= LINE_MAX:
                raise _garbage()
            return _MORE
        line = bytes(self._data[self._at : end])
        self._at = end + 2
        return line

    def _string(self, length: int) -> "bytes | _More":
        if length > SIZE_MAX:
            raise ServerLost(f"it answers more than {SIZE_MAX} bytes")
        end = self._at + length
        if len(self._data) < end + 2:
            return _MORE
        if self._data[end : end + 2] != b"\r\n":
            raise _garbage()
        found = bytes(self._data[self._at : end])
        self._at, self._length = end + 2, None
        return found

    def _begin(self, count: int) -> None:
        self._count += count
        if self._count > COUNT_MAX or len(self._open) == DEPTH_MAX:
            raise ServerLost(f"it answers more than {COUNT_MAX} elements, or {DEPTH_MAX} in depth")
        self._open.append(([], count))


def _size(head: bytes) -> int:
    """Return the number of bytes or elements in the head of a string or an array, or _NIL."""
    number = _number(head[1:])
    if head[:1] not in (_STRING, _ARRAY) or number < _NIL:
        raise _garbage()
    return number


def _number(text: bytes) -> int:
    if not _NUMBER.fullmatch(text):
        raise _garbage()
    return int(text)


def _garbage() -> ServerLost:
    """Return the error, without what was said: that may be somebody's password."""
    return ServerLost("it talks another protocol than that of Redis")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


_LINES: dict[bytes, Callable[[bytes], RespReply]] = {
    b":": _number,
    b"+": lambda raw: RespStatus(_text(raw)),
    b"-": lambda raw: RespFailure(_text(raw)),
}
"""Kinds of replies that are one line."""
