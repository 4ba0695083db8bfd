"""The fields that tell where a user sits, and with what program: removed, or cut."""

import re

from opensmtpd.filter import EditedMessage, Field

TELLING = frozenset(
    [
        *(b"received", b"user-agent", b"x-mailer", b"x-newsreader", b"x-originating-ip"),
        *(b"x-originating-client", b"x-client-ip", b"x-sender-ip", b"x-remote-ip", b"x-source-ip"),
        *(b"x-php-originating-script", b"x-php-script", b"x-originating-host", b"x-enigmail"),
        *(b"x-forward", b"x-forwarded-for"),
    ]
)
"""Their names, in lower case."""
_UNWRITABLE = re.compile(rb"[\r\0]")
_VERSION = re.compile(rb"1\.0[ \t]*\(")
"""A version with a comment, which tells the program (RFC 2045 section 4)."""
_BY = re.compile(rb"(?:^|(?<=[ \t\n]))by ")


def own_received(message: EditedMessage) -> Field | None:
    """Return the Received field of this smtpd: the first one, for it stands above the client's."""
    return next(iter(message.named(b"received")), None)


def hide(message: EditedMessage, own: Field | None) -> Field | None:
    """Remove these fields, but of smtpd's own Received the part about the client alone.

    So does ``mask-src`` of smtpd.conf(5) with that part (``smtp_message_begin`` in
    ``smtp_session.c``). Returns what is smtpd's own Received then.
    """
    for field in message.fields:
        if field is not own and field.name.lower() in TELLING:
            message.remove(field)
        elif field.name.lower() == b"mime-version" and _VERSION.match(field.value):
            message.replace(field, b"1.0")
    return None if own is None else _cut(message, own)


def _cut(message: EditedMessage, own: Field) -> Field:
    """Cut what stands before ``by``. Field lines stay as they are behind it.

    But for carriage returns, which cannot be written: a client whose header begins with a blank
    continues the field, with any bytes.
    """
    first, *rest = [_UNWRITABLE.sub(b"", line) for line in own.lines]
    if first.startswith(b"from ") and rest and _BY.match(rest[0].lstrip()):
        return message.replace(own, [rest[0].lstrip(), *rest[1:]])
    return own
