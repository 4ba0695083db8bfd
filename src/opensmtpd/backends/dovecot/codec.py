"""Lines of Dovecot's authentication protocol, without I/O: fields with tabs in between.

Source: doc.dovecot.org, "Dovecot Authentication Protocol" (version 1.2), and its tab escaping,
``str_append_tabescaped`` in ``strescape.c``.
"""

import re

from opensmtpd.errors import ServerLost

LINE_MAX = 16384
"""Bytes of a line (``AUTH_CLIENT_MAX_LINE_LENGTH``) that are kept until its end comes."""
VERSION = b"VERSION\t1\t2\n"
_ESCAPES = {b"\0": b"\x010", b"\x01": b"\x011", b"\t": b"\x01t", b"\r": b"\x01r", b"\n": b"\x01l"}
_PLAIN = {escape[1:]: byte for byte, escape in _ESCAPES.items()}
_SPECIAL = re.compile(rb"[\0\x01\t\r\n]")
_ESCAPED = re.compile(rb"\x01(.?)", re.DOTALL)


def join(*fields: bytes) -> bytes:
    """Return the line of fields, whatever bytes they have."""
    escaped = (_SPECIAL.sub(lambda special: _ESCAPES[special[0]], field) for field in fields)
    return b"\t".join(escaped) + b"\n"


def split(line: bytes) -> list[bytes]:
    """Return the fields of a line, which has no line feed at its end."""
    return [
        _ESCAPED.sub(lambda escape: _PLAIN.get(escape[1], escape[1]), field)
        for field in line.split(b"\t")
    ]


def parameters(fields: list[bytes]) -> dict[bytes, bytes]:
    """Return the values by names; a name alone has an empty one. Of equal names the first counts.

    A user's row may end in fields of its own, which must not hide those of Dovecot.
    """
    found: dict[bytes, bytes] = {}
    for field in fields:
        name, _, value = field.partition(b"=")
        found.setdefault(name, value)
    return found


class LineReader:
    """Cuts bytes into lines."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises ServerLost for a line that is too long."""
        self._data += data
        if len(self._data) - self._data.rfind(b"\n") - 1 > LINE_MAX:
            raise ServerLost("Dovecot sent a line without end")

    def line(self) -> bytes | None:
        """Return the next line without its end, None where it is not complete."""
        line, end, rest = self._data.partition(b"\n")
        if not end:
            return None
        self._data = rest
        return line

    @property
    def empty(self) -> bool:
        """True where no byte is left."""
        return not self._data
