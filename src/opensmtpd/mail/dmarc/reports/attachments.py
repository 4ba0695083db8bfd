"""The parts of a mail that carries reports (RFC 2045, RFC 2046).

The mail is a stranger's: headers, depth and parts are bounded, and the work is linear in its size.
``email`` of the standard library recurses with the depth of a mail, and reads parameters of a
header field in time by the square of their length.
"""

import binascii
import re
from collections.abc import Iterator

from opensmtpd.errors import RemoteError

HEADER_MAX = 1 << 17
"""Bytes of a header."""
DEPTH_MAX = 8
"""Parts in one another."""
PARTS_MAX = 100
"""Parts of one."""

_FIELD = re.compile(rb"(?i)^(content-type|content-transfer-encoding)[ \t]*:", re.MULTILINE)
_BOUNDARY = re.compile(
    rb"""(?i);[ \t\r\n]*boundary[ \t]*=[ \t]*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))"""
)
_END = re.compile(rb"\r?\n\r?\n")
_FIELD_END = re.compile(rb"\n(?![ \t])")


def parts(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """Yield the decoded parts of a mail. Raises RemoteError."""
    end = _END.search(data, 0, HEADER_MAX)
    header, body = (data[: end.start()], data[end.end() :]) if end else (data, b"")
    if len(header) > HEADER_MAX:
        raise RemoteError("a mail with a header that has no end")
    if data.startswith((b"\n", b"\r\n")):  # a part without a header
        header, body = b"", data.partition(b"\n")[2]
    kind = _field(header, b"content-type")
    major = kind.partition(b";")[0].strip().lower()
    boundary = _BOUNDARY.search(kind)
    if major.startswith(b"multipart/") and boundary:
        if depth == DEPTH_MAX:
            raise RemoteError("a mail with parts too deep in one another")
        for part in _split(body, boundary[1] or boundary[2]):
            yield from parts(part, depth + 1)
    elif major == b"message/rfc822":
        if depth == DEPTH_MAX:
            raise RemoteError("a mail with parts too deep in one another")
        yield from parts(body.lstrip(b"\r\n"), depth + 1)
    else:
        yield _decoded(body, _field(header, b"content-transfer-encoding").strip().lower())


def _field(header: bytes, name: bytes) -> bytes:
    """Return the value of the first field of this name, folded as it is."""
    for match in _FIELD.finditer(header):
        if match[1].lower() == name:
            end = _FIELD_END.search(header, match.end())
            return header[match.end() : end.start() if end else len(header)]
    return b""


def _split(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Yield the parts between the lines of a boundary."""
    line = re.compile(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
    match, count = line.search(body), 0
    while match and not match[1]:
        count += 1
        if count > PARTS_MAX:
            raise RemoteError(f"a mail with more than {PARTS_MAX} parts")
        begin, match = match.end(), line.search(body, match.end())
        yield body[begin : match.start() if match else len(body)]


def _decoded(body: bytes, encoding: bytes) -> bytes:
    if encoding == b"base64":
        try:
            return binascii.a2b_base64(body)
        except binascii.Error:
            raise RemoteError("a mail with broken base64") from None
    return binascii.a2b_qp(body) if encoding == b"quoted-printable" else body
