"""The two forms of socketmap on the wire, without I/O.

Netstrings are those of Postfix (socketmap_table(5)) and Sendmail: the question is ``NAME KEY``, and
question and reply are each ``LENGTH:BYTES,``. Lines are what the C table-socketmap speaks: ``NAME
KEY`` and a reply, each ended by a line feed (``table_socketmap_query`` in ``table_socketmap.c``).

One question is under way at a time. So a reply ends what may come, and bytes behind it mean that
the two sides have lost each other.
"""

import re

from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.table import to_bytes

REPLY_MAX = 100_000
"""Bytes of a reply: the limit of Postfix, Sendmail and the C program."""
_HEAD = re.compile(rb"([0-9]{1,9}):")
_HEAD_MAX = 10
"""Bytes until the colon must have come."""


class ReplyTooLong(ServerRefused):
    """A reply of more than REPLY_MAX bytes: its connection cannot be used any more."""

    def __init__(self) -> None:
        super().__init__(f"a reply of more than {REPLY_MAX} bytes")


class Netstrings:
    """The form in netstrings."""

    @staticmethod
    def question(name: str, key: str) -> bytes | None:
        """Return the bytes of a question, None for one that cannot be asked."""
        if " " in name:  # the first blank ends the name
            return None
        request = to_bytes(f"{name} {key}")
        return b"%d:%s," % (len(request), request)

    @staticmethod
    def reply(data: bytes) -> bytes | None:
        """Return the reply in all bytes that have come, None where there are more to come.

        Raises ServerLost, ReplyTooLong.
        """
        head = _HEAD.match(data)
        if head is None:
            if len(data) >= _HEAD_MAX or data.strip(b"0123456789"):
                raise ServerLost("the server sent no netstring")
            return None
        length, start = int(head[1]), head.end()
        if length > REPLY_MAX:
            raise ReplyTooLong
        rest = len(data) - start - length
        if rest <= 0:
            return None
        if rest > 1 or not data.endswith(b","):
            raise ServerLost("the server sent no netstring, or more than a reply")
        return data[start:-1]


class Lines:
    """The form in lines."""

    @staticmethod
    def question(name: str, key: str) -> bytes | None:
        """Return the bytes of a question, None for one that cannot be asked."""
        request = f"{name} {key}\n"
        return to_bytes(request) if request.find("\n") == len(request) - 1 else None

    @staticmethod
    def reply(data: bytes) -> bytes | None:
        """Return the reply in all bytes that have come, None where there are more to come.

        A carriage return in front of the line feed belongs to the end of the line. Raises
        ServerLost, ReplyTooLong.
        """
        end = data.find(b"\n")
        if (len(data) if end < 0 else end) > REPLY_MAX:
            raise ReplyTooLong
        if end < 0:
            return None
        if end + 1 < len(data):
            raise ServerLost("the server sent more than a reply")
        return data[:end].removesuffix(b"\r")


FORMS: dict[str, type[Netstrings] | type[Lines]] = {"netstring": Netstrings, "line": Lines}
"""By the values of the key ``protocol``."""
