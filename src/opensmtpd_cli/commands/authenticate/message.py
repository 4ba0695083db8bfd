"""A message in a file, as lines."""

from typing import NamedTuple


class Message(NamedTuple):
    """The lines of a message, without their ends."""

    header: list[bytes]
    body: list[bytes]

    @property
    def crlf(self) -> bytes:
        """The message as it crosses the wire."""
        return b"".join(line + b"\r\n" for line in (*self.header, b"", *self.body))


def split(raw: bytes) -> Message:
    """Return the lines of a message; they end in LF or CRLF.

    As smtpd does, one carriage return is taken from the end of a line, and no more.
    """
    lines = [line.removesuffix(b"\r") for line in raw.split(b"\n")]
    if not lines[-1]:  # behind the end of the last line
        del lines[-1]
    end = lines.index(b"") if b"" in lines else len(lines)
    return Message(lines[:end], lines[end + 1 :])
