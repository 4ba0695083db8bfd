"""The content of a counter file: all counts of a process, with a checksum.

It is written with one pwrite(2) and has always the same size, less than a page. A reader that comes
between takes a record whose checksum is wrong for none, and reads it again later.

::

    16 bytes  MAGIC
     4 bytes  CRC-32 of all that follows
     4 bytes  CRC-32 of the names of the cells: another release may have others
     8 bytes  when the process began to count, in nanoseconds since the epoch
     8 bytes  for each cell, in the order of ``names.PLUGINS``

Numbers have their low byte first.
"""

import struct
from collections.abc import Sequence
from zlib import crc32

from opensmtpd._counters.counts import OWN

MAGIC = b"opensmtpd-count\n"
NUMBER_MAX = (1 << 64) - 1
_HEAD = struct.Struct("<16sI")
_BODY = struct.Struct(f"<IQ{len(OWN.index)}Q")
_LAYOUT = crc32("\n".join(" ".join(cell) for cell in OWN.index).encode("ascii"))
SIZE = _HEAD.size + _BODY.size


def pack(began: int, values: Sequence[int]) -> bytes:
    """Return the record of a process; a number that is too large for it stays at NUMBER_MAX."""
    body = _BODY.pack(_LAYOUT, began, *(min(each, NUMBER_MAX) for each in values))
    return _HEAD.pack(MAGIC, crc32(body)) + body


def unpack(data: bytes) -> tuple[int, list[int]]:
    """Return when a process began, and its counts. Raises ValueError for what is no record."""
    if len(data) != SIZE:
        raise ValueError("another size")
    magic, checksum = _HEAD.unpack_from(data)
    body = data[_HEAD.size :]
    if magic != MAGIC or checksum != crc32(body):
        raise ValueError("not a whole record")
    layout, began, *values = _BODY.unpack(body)
    if layout != _LAYOUT:
        raise ValueError("the counts of another release")
    return began, values
