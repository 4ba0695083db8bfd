"""Read the files in a zip archive, as reporters make them: stored or deflated, nothing else.

The archive is a stranger's: names are not looked at, the number of files and the bytes of each are
bounded before anything is unpacked. zipfile of the standard library first reads the whole directory
of an archive, which may have millions of files. Source: APPNOTE.TXT 6.3.10, section 4.3.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from opensmtpd.errors import RemoteError

FILES_MAX = 100
"""Files in an archive."""
SIGNATURE = b"PK\3\4"
"""The first bytes of an archive."""

_END = struct.Struct("<4s4xHHII")
"""The end of the central directory: its files here and in all, its size and its offset."""
_ENTRY = struct.Struct("<4s4xHH4xIIIHHH8xI")
"""An entry of it: flags, method, checksum, sizes packed and unpacked, lengths of name, extra and
comment, offset of the file."""
_FILE = struct.Struct("<4s22xHH")
"""A file: lengths of its name and extra."""
_ENCRYPTED = 1
_STORED, _DEFLATED = 0, 8

Inflate = Callable[[bytes, int | None], bytes]
"""Unpacks bytes in a format that has this number in zlib; None for bytes that are not packed."""


def files(data: bytes, inflate: Inflate) -> Iterator[bytes]:
    """Yield the contents of the files in an archive, which ``inflate`` unpacks.

    Raises RemoteError.
    """
    try:
        for flags, method, checksum, packed in _entries(data):
            if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
                raise RemoteError("a zip file in a format that no report has")
            content = inflate(packed, None if method == _STORED else -zlib.MAX_WBITS)
            if zlib.crc32(content) != checksum:
                raise RemoteError("a zip file with a wrong checksum")
            yield content
    except struct.error:
        raise RemoteError("a zip file that ends too early") from None


def _entries(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield flags, method, checksum and packed bytes of each file. Raises struct.error."""
    end = data.rfind(b"PK\5\6")
    if end < 0:
        raise RemoteError("a zip file that ends too early")
    _, _, count, size, at = _END.unpack_from(data, end)
    if count > FILES_MAX:
        raise RemoteError(f"a zip file with more than {FILES_MAX} files")
    if at + size > end:
        raise RemoteError("a zip file whose directory is broken")
    for _ in range(count):
        mark, flags, method, checksum, length, _, name, extra, comment, offset = _ENTRY.unpack_from(
            data, at
        )
        if mark != b"PK\1\2":
            raise RemoteError("a zip file whose directory is broken")
        at += _ENTRY.size + name + extra + comment
        mark, name, extra = _FILE.unpack_from(data, offset)
        begin = offset + _FILE.size + name + extra
        if mark != SIGNATURE or begin + length > end:
            raise RemoteError("a zip file whose directory is broken")
        if not data[offset:begin].endswith(b"/"):
            yield flags, method, checksum, data[begin : begin + length]
