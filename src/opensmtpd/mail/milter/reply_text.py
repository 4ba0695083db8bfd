"""The reply to the client that a milter words itself (SMFIR_REPLYCODE).

libmilter sends ``451 4.7.1 text``, or several lines in the form of SMTP (``smfi_setreply`` and
``smfi_setmlreply`` in ``smfi.c``). smtpd takes one line from a filter, so that several are joined.
"""

import re
from typing import NamedTuple

from opensmtpd.errors import ProtocolError
from opensmtpd.filter import REPLY_MAX

_LINE = re.compile(rb"([45]\d\d)([ -])((?:[245]\.\d{1,3}\.\d{1,3}(?= |$))?) ?(.*)", re.DOTALL)
_LINE_END = re.compile(rb"[\0\r\n]")
_UNSHOWN = re.compile(rb"[^ -~]")
_PERCENT = re.compile(rb"%(%?)")
DEFAULTS = {4: "4.7.1 Service unavailable, try again later", 5: "5.7.1 Command rejected"}
"""The text for a reply without one, by the first digit of its code."""


class ReplyCode(NamedTuple):
    """A refusal with a code and a text."""

    code: int
    """400 to 599."""
    text: str
    """One line of printable ASCII, with the enhanced status code (RFC 3463) where there is one."""


def read_code(data: bytes) -> ReplyCode:
    """Return the reply in the data of a REPLYCODE, in one line.

    The lines are joined by spaces, and the status code of the first is kept. A doubled ``%`` is
    one, and a lone one is nothing: Sendmail takes the text for a format. A tab becomes a space, and
    all else that is no printable ASCII question marks: a milter may quote what a client has sent,
    as OpenDMARC does with a domain. What is too long for smtpd is cut off.

    Raises ProtocolError for a code that is not 4xx or 5xx or changes between the lines, for a
    status code of another class, for lines that are not in the form of SMTP (RFC 5321 section
    4.2.1), and for a NUL, a carriage return or a line feed amid one.
    """
    texts: list[bytes] = []
    first = status = b""
    lines = data.removesuffix(b"\0").split(b"\r\n")
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        if found is None or (found[2] == b" ") != (number == len(lines)):
            raise ProtocolError("a reply to the client that is none, from the milter")
        if _LINE_END.search(line):
            raise ProtocolError("a line end amid a reply to the client, from the milter")
        first = first or found[1]
        if found[1] != first or (found[3] and found[3][:1] != first[:1]):
            raise ProtocolError("a reply to the client with several codes, from the milter")
        status = status or found[3]
        texts.append(_PERCENT.sub(rb"\1", found[4]).strip())
    words = b" ".join([text for text in (status, *texts) if text]).replace(b"\t", b" ")
    shown = _UNSHOWN.sub(b"?", words).decode("ascii")[: REPLY_MAX - 4].rstrip()
    if shown == status.decode():
        default = DEFAULTS[first[0] - ord("0")]
        shown = f"{shown} {default.partition(' ')[2]}" if shown else default
    return ReplyCode(int(first), shown)
