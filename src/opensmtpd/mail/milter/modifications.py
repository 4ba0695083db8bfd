"""The modifications of a message, made.

Only the header and the body can be changed in smtpd's filters: modifications of the envelope are
returned, for the caller to refuse or to find another way.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from opensmtpd.errors import ProtocolError
from opensmtpd.filter.field import has_longer_line, longest
from opensmtpd.mail.milter.header import MilterHeader
from opensmtpd.mail.milter.replies import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    ChangeSender,
    DeleteRecipient,
    EnvelopeModification,
    InsertHeader,
    MilterReply,
    QuarantineMail,
    ReplaceBody,
)

LINE_MAX = 65_485
"""Bytes of a line that an EditedMessage takes."""
_TOO_LONG = re.compile(rb"[^\n]{%d}(?=[^\n])" % (LINE_MAX - 1))
"""The part of a line of a body that smtpd takes: a dot in front of it is doubled."""


class Modified(NamedTuple):
    """The outcome of modifications, but for the header."""

    body: bytes | None
    """The new body, in whole lines with line feeds; None for the body as it was."""
    envelope: list[EnvelopeModification]
    """In the order in which they came."""


def apply(header: MilterHeader, replies: Iterable[MilterReply], *, leading_space: bool) -> Modified:
    """Make one milter's modifications to a header, in order, and return the others.

    ``replies`` are those to the end of the message; PROGRESS and the verdict are passed over.
    ``leading_space`` is that of the session's options. The body is all pieces together. Raises
    ProtocolError for a name that is too long for smtpd, and then the header is as it was.
    """
    pieces: list[bytes] | None = None
    envelope: list[EnvelopeModification] = []
    changes: list[Callable[[], None]] = []
    for each in replies:
        match each:
            case AddHeader(name, value):
                new = field_value(name, value, leading_space)
                changes.append(partial(header.add, name, new))
            case InsertHeader(index, name, value):
                new = field_value(name, value, leading_space)
                changes.append(partial(header.insert, index, name, new))
            case ChangeHeader(index, name, value):
                other = field_value(name, value, leading_space) if value else None
                changes.append(partial(header.change, index, name, other))
            case ReplaceBody(data):
                pieces = pieces or []
                pieces.append(data)
            case AddRecipient() | DeleteRecipient() | ChangeSender() | QuarantineMail():
                envelope.append(each)
    body = None if pieces is None else body_bytes(pieces)
    for change in changes:  # none of them, where the milter is one that is not obeyed
        change()
    return Modified(body, envelope)


def field_value(name: bytes, value: bytes, leading_space: bool) -> bytes:
    """Return a milter's value as it is to stand behind the colon, folded by line feeds.

    Without ``leading_space`` a space is put in front, as the MTA has to. Carriage returns are left
    out, and lines that are empty, which would end the header. A line that does not begin with a
    blank gets a tab, as in Postfix (``cleanup_out_header``): it would be a field of its own. One
    that is too long for smtpd is folded: clients send such, and a milter may make them longer.
    """
    first, *others = value.replace(b"\r", b"").split(b"\n")
    folds = [line if line[:1] in (b" ", b"\t") else b"\t" + line for line in others if line]
    lines = [first if leading_space else b" " + first, *folds]
    blank = b"" if lines[0][:1] in (b"", b" ", b"\t") else b" "  # which EditedMessage puts there
    room = LINE_MAX - longest([name + b":" + blank])
    if room <= 0:
        raise ProtocolError("the name of a field from the milter is longer than smtpd takes")
    first, *folds = lines
    return b"\n".join([*_folded(first, room), *(part for each in folds for part in _folded(each))])


def _folded(line: bytes, room: int = LINE_MAX) -> list[bytes]:
    """Return a line as several that smtpd takes; the first has ``room`` bytes at most."""
    rest, size = line[room:], LINE_MAX - 1
    return [line[:room], *(b"\t" + rest[at : at + size] for at in range(0, len(rest), size))]


def body_bytes(pieces: Iterable[bytes]) -> bytes:
    """Return a body from a milter in whole lines, each with a line feed.

    A line may begin in one piece and end in another. Carriage returns and NULs are left out, for
    smtpd takes neither, and lines that are too long for it are broken. It stays one object: a body
    may have a million lines.
    """
    body = b"".join(pieces).translate(None, b"\r\0")
    if body and not body.endswith(b"\n"):
        body += b"\n"
    return _TOO_LONG.sub(rb"\g<0>\n", body) if has_longer_line(body, LINE_MAX - 1) else body
