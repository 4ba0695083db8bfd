"""The milter's replies: what it decides, and what it wants done to the message.

The letters are SMFIR_* in ``mfdef.h``, the formats those that libmilter sends (``smfi.c``). A value
is read strictly: every string ends, and nothing stands behind the last.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, TypeAlias

from opensmtpd.errors import ProtocolError
from opensmtpd.mail.milter.frames import Frame
from opensmtpd.mail.milter.negotiation import MilterActions
from opensmtpd.mail.milter.reply_text import DEFAULTS, ReplyCode, read_code


class PlainReply(Enum):
    """A reply that has no data."""

    CONTINUE = b"c"
    ACCEPT = b"a"
    """The milter wants to see no more of the message; at CONNECT and HELO, of the session."""
    REJECT = b"r"
    """Refuse for good: at RCPT the recipient, otherwise the message or the session."""
    TEMPFAIL = b"t"
    """Refuse for now, as REJECT does."""
    DISCARD = b"d"
    """Accept the message and throw it away."""
    SKIP = b"s"
    """Send no more of these: fields, or pieces of the body."""
    PROGRESS = b"p"
    """The milter works on it: the wait begins anew, and the reply comes later."""
    CONN_FAIL = b"f"
    """Close the client's connection."""
    SHUTDOWN = b"4"
    """Close the client's connection with 421."""


class AddHeader(NamedTuple):
    """Add a field behind the header."""

    name: bytes
    value: bytes


class InsertHeader(NamedTuple):
    """Insert a field before the one with an index."""

    at: int
    """From 0."""
    name: bytes
    value: bytes


class ChangeHeader(NamedTuple):
    """Change a field, or remove it."""

    at: int
    """Of the fields with this name, from 1."""
    name: bytes
    value: bytes
    """Empty to remove it."""


class ReplaceBody(NamedTuple):
    """A piece of the new body; all pieces together take the place of the old one."""

    data: bytes


class AddRecipient(NamedTuple):
    """Add a recipient."""

    address: bytes
    """Without ``<>``."""
    arguments: bytes = b""
    """ESMTP arguments."""


class DeleteRecipient(NamedTuple):
    """Remove a recipient."""

    address: bytes


class ChangeSender(NamedTuple):
    """Change the sender of the envelope."""

    address: bytes
    """Without ``<>``, empty for the null sender."""
    arguments: bytes = b""


class QuarantineMail(NamedTuple):
    """Keep the message from its recipients for an administrator to look at."""

    reason: str
    """Printable ASCII."""


HeaderModification: TypeAlias = AddHeader | InsertHeader | ChangeHeader
EnvelopeModification: TypeAlias = AddRecipient | DeleteRecipient | ChangeSender | QuarantineMail
Modification: TypeAlias = HeaderModification | ReplaceBody | EnvelopeModification
MilterReply: TypeAlias = PlainReply | ReplyCode | Modification

MODIFICATIONS = {
    b"h": MilterActions.ADDHDRS,
    b"i": MilterActions.ADDHDRS,
    b"m": MilterActions.CHGHDRS,
    b"b": MilterActions.CHGBODY,
    b"+": MilterActions.ADDRCPT,
    b"2": MilterActions.ADDRCPT_PAR,
    b"-": MilterActions.DELRCPT,
    b"e": MilterActions.CHGFROM,
    b"q": MilterActions.QUARANTINE,
}
"""The letters of modifications, and the action that a milter must have negotiated for each."""
_PLAIN = {reply.value: reply for reply in PlainReply}
_INDEX_MAX = (1 << 31) - 1
"""libmilter has it in an int."""
_NAME = re.compile(rb"[!-9;-~]+")
_CONTROL = re.compile(rb"[\0-\x1f\x7f]")
_UNSHOWN = re.compile(r"[^ -~]")
_REFUSALS = {
    PlainReply.REJECT: ReplyCode(550, DEFAULTS[5]),
    PlainReply.TEMPFAIL: ReplyCode(451, DEFAULTS[4]),
    PlainReply.CONN_FAIL: ReplyCode(421, DEFAULTS[4]),
    PlainReply.SHUTDOWN: ReplyCode(421, DEFAULTS[4]),
}


def refusal(reply: object) -> ReplyCode | None:
    """Return the refusal that a reply is, with code and text; None for any other object."""
    if isinstance(reply, ReplyCode):
        return reply
    return _REFUSALS.get(reply) if isinstance(reply, PlainReply) else None


def read_reply(frame: Frame) -> MilterReply:
    """Return the reply in a frame; it may be one that is out of place.

    Raises ProtocolError for a letter that is none of MilterReply, and for data that are not what
    belongs to the letter.
    """
    letter, data = frame
    plain = _PLAIN.get(letter)
    if plain is not None:
        if data:
            raise ProtocolError(f"data in a reply {letter!r} from the milter")
        return plain
    read = _READERS.get(letter)
    if read is None:
        raise ProtocolError(f"an unknown reply {letter!r} from the milter")
    return read(data)


def _strings(data: bytes, count: int) -> list[bytes]:
    """Return the C strings that data consist of."""
    *found, rest = data.split(b"\0")
    if rest or len(found) != count:
        raise ProtocolError("data from the milter that are not the strings that belong there")
    return found


def _field(data: bytes) -> tuple[bytes, bytes]:
    name, value = _strings(data, 2)
    if not _NAME.fullmatch(name):  # RFC 5322 section 3.6.8
        raise ProtocolError("the name of a field from the milter is none")
    return name, value


def _indexed(data: bytes) -> tuple[int, bytes, bytes]:
    index = int.from_bytes(data[:4])
    if index > _INDEX_MAX:
        raise ProtocolError("a negative index of a field from the milter")
    return index, *_field(data[4:])


def _change(data: bytes) -> ChangeHeader:
    index, name, value = _indexed(data)
    return ChangeHeader(max(index, 1), name, value)  # 0 is 1 in Sendmail and Postfix


def _with_arguments(data: bytes) -> tuple[bytes, bytes]:
    """Return an address and ESMTP arguments: libmilter sends one string of these, others more."""
    address, *arguments = _strings(data, max(data.count(b"\0"), 1))
    joined = b" ".join(arguments)
    if _CONTROL.search(joined):
        raise ProtocolError("a control character in an argument from the milter")
    return _address(address), joined


def _address(text: bytes) -> bytes:
    bare = text[1:-1] if text.startswith(b"<") and text.endswith(b">") else text
    if not text or _CONTROL.search(bare) or b"<" in bare or b">" in bare:
        raise ProtocolError("an address from the milter that is none")
    return bare


def _quarantine(data: bytes) -> QuarantineMail:
    """Return a quarantine. Postfix takes a reason that does not end, and so do we."""
    text = data.removesuffix(b"\0")
    if b"\0" in text:
        raise ProtocolError("data from the milter that are not the strings that belong there")
    return QuarantineMail(_UNSHOWN.sub("?", text.decode("ascii", "replace")))


_READERS: dict[bytes, Callable[[bytes], MilterReply]] = {
    b"y": read_code,
    b"h": lambda data: AddHeader(*_field(data)),
    b"i": lambda data: InsertHeader(*_indexed(data)),
    b"m": _change,
    b"b": ReplaceBody,
    b"+": lambda data: AddRecipient(_address(*_strings(data, 1))),
    b"2": lambda data: AddRecipient(*_with_arguments(data)),
    b"-": lambda data: DeleteRecipient(_address(*_strings(data, 1))),
    b"e": lambda data: ChangeSender(*_with_arguments(data)),
    b"q": _quarantine,
}
