"""Find the XML of reports in what carries it: gzip, zip, a mail, or nothing.

All of it is a stranger's: what a file unpacks to is bounded, all its parts together.
"""

import zlib
from collections.abc import Iterator

from opensmtpd.errors import RemoteError
from opensmtpd.mail.dmarc.reports import attachments, zip_file

UNPACKED_MAX = 50 << 20
"""Bytes that are unpacked of one file."""
DEPTH_MAX = 3
"""Archives in one another: a gzip file in a zip file in a mail."""
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 16 + zlib.MAX_WBITS
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


def documents(data: bytes) -> Iterator[bytes | RemoteError]:
    """Yield the XML documents in a file, and an error for each part of it that is broken.

    At least one of them. Nothing is raised.
    """
    unpacking = _Unpacking()
    try:
        if _is_archive(data) or _is_xml(data):
            yield from unpacking.unpack(data, 0)
        elif b":" not in data.lstrip().partition(b"\n")[0]:
            raise RemoteError("neither XML nor gzip, zip or a mail")
        else:
            found = False
            for part in attachments.parts(data.lstrip(b"\r\n")):
                if _is_archive(part) or (_is_xml(part) and b"feedback" in part[:2000]):
                    found = True
                    yield from unpacking.unpack(part, 0)
            if not found:
                raise RemoteError("a mail without a report")
    except RemoteError as error:
        yield error


def _is_archive(data: bytes) -> bool:
    return data.startswith((_GZIP, zip_file.SIGNATURE))


def _is_xml(data: bytes) -> bool:
    if data.startswith(_UTF16):
        return True
    return data[:1000].removeprefix(_UTF8_MARK).lstrip().startswith(b"<")


class _Unpacking:
    """The bytes that may still be unpacked of one file."""

    def __init__(self) -> None:
        self._left = UNPACKED_MAX

    def unpack(self, data: bytes, depth: int) -> Iterator[bytes | RemoteError]:
        """Yield the documents in an archive, or the one that this is."""
        try:
            if _is_xml(data):
                yield data
            elif not _is_archive(data):
                raise RemoteError("no XML in the archive")
            elif depth == DEPTH_MAX:
                raise RemoteError("archives too deep in one another")
            elif data.startswith(_GZIP):
                yield from self.unpack(self.inflate(data, _GZIP_WBITS), depth + 1)
            else:
                for content in zip_file.files(data, self.inflate):
                    yield from self.unpack(content, depth + 1)
        except RemoteError as error:
            yield error

    def inflate(self, data: bytes, wbits: int | None) -> bytes:
        """Return the unpacked bytes of data in a format of zlib, or of none. Raises RemoteError."""
        if wbits is None:
            content, whole = data, True
        else:
            inflating = zlib.decompressobj(wbits)
            try:
                content = inflating.decompress(data, self._left + 1)
            except zlib.error:
                raise RemoteError("broken compressed data") from None
            whole = inflating.eof
        if len(content) > self._left:
            raise RemoteError(f"unpacks to more than {UNPACKED_MAX >> 20} MB")
        self._left -= len(content)
        if not whole:
            raise RemoteError("compressed data that ends too early")
        return content
