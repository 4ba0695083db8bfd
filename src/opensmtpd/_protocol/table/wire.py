"""The lines of the table protocol: where a request ends, and how an error is written.

Source: ``table_proc.c``.
"""

import re

from opensmtpd._protocol.line_buffer import LineBuffer

VERSION = b"0.1"
LINE_MAX = 65536
"""Bytes of a request; smtpd's keys have less than 2,048."""
MESSAGE_MAX = 200
"""Characters of an error's text, which smtpd writes to its log."""
SAFE_SINCE = (7, 9)
"""Before this release, smtpd sends a line feed in a key as it is (``table_proc_lookup``)."""

_RELEASE = re.compile(rb"([0-9]+)\.([0-9]+)")
_TYPED = ([b"credentials"], [b"auth"], [b"mailaddrmap"], [b"mailaddr"], [b"string"], [b"regex"])
"""Services whose keys may be user names, in which a client can have a line feed: AUTH is base64."""
_PRINTABLE = bytes(byte if 32 <= byte < 127 else 63 for byte in range(256))


class RequestLines(LineBuffer):
    """Cuts the bytes from smtpd into requests, and keeps a key with line feeds in one request."""

    def __init__(self) -> None:
        super().__init__(LINE_MAX)
        self.name = b""
        """The name of the table, which stands in each request."""
        self.raw_keys = False
        """True for an smtpd before SAFE_SINCE."""
        self._request: list[bytes] = []
        """Lines of a request that smtpd has not ended yet."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes from smtpd; return the requests that they complete, without line ends."""
        lines = super().feed(data)
        if self.raw_keys and (len(lines) != 1 or self._request or self.unfinished):
            return self._joined(lines)
        return lines

    def _joined(self, lines: list[bytes]) -> list[bytes]:
        """Return lines with a key joined that had line feeds in it: the last one that smtpd sent.

        An answer to a line that a client wrote in a key would be one too many, and end smtpd.
        """
        lines = [*self._request, *lines]
        self._request = []
        for at, line in enumerate(lines):
            request = line.split(b"|", 3)[-1].removeprefix(self.name + b"|")
            if request.split(b"|", 2)[1:2] in _TYPED:
                if self.unfinished:  # a client cannot keep smtpd from ending it
                    self._request = lines[at:]
                    return lines[:at]
                return [*lines[:at], b"\n".join(lines[at:])]
        return lines


def release(value: bytes) -> tuple[int, int] | None:
    """Return the release in a ``smtpd-version`` such as ``7.6.0-portable``, None without one."""
    found = _RELEASE.match(value)
    return (int(found[1][:9]), int(found[2][:9])) if found else None


def encode_error(reason: str) -> bytes:
    """Return the end of an answer that tells smtpd of a failure, in printable ASCII."""
    raw = reason.encode("ascii", "replace").translate(_PRINTABLE)
    return b"error|" + raw[:MESSAGE_MAX]
