"""The changes that smtpd makes to a message after its filters: a signature must foresee them.

smtpd appends its domain to bare addresses in From, To and Cc, drops Bcc, and adds Date and
Message-ID where they lack on local listeners and port 587. Source: ``smtp_tx_dataline``,
``header_domain_append_callback`` and ``header_append_domain_buffer`` in ``smtp_session.c``, equal
in OpenSMTPD 7.6 and 7.9. (That it may replace From by the sender, for authenticated sessions of a
``listen … masquerade``, cannot be seen from here.)
"""

import os
import re
from itertools import pairwise

from opensmtpd.mail.dates import date
from opensmtpd.mail.dkim.canonical_header import HeaderField

APPENDED = frozenset([b"from", b"to", b"cc"])
"""The fields in which smtpd completes addresses."""
ADDED = frozenset([b"date", b"message-id"])
"""The fields that smtpd adds where they lack."""
DROPPED = b"bcc"

_SUBMISSION = b"587"
_LOCAL = (b"127.0.0.1", b"[::1]")
_SPACE = b" \t\n\v\f\r"
_ADDED_NAME = re.compile(rb"\n(date|message-id):", re.IGNORECASE)


def completed(field: HeaderField) -> bool:
    """Return whether smtpd will complete an address in this field, and so change it.

    smtpd compares the whole text in front of the colon, so that no name with a blank behind it is
    one of its own.
    """
    name, gap, value = field
    return not gap and name.lower() in APPENDED and completes(value)


def completes(value: bytes) -> bool:
    """Return whether smtpd will append its domain to an address in this field.

    ``value`` is what follows the colon of a From, To or Cc field, folded lines joined by a line
    feed. An element so long that smtpd's buffer is too small for it counts like any other.
    """
    if b"\\" not in value and b"(" not in value:
        # What stands in quotes does not count, and without the above, quotes just alternate.
        parts = value.split(b'"')
        if len(parts) % 2 and all(b"@" in part for part in b"".join(parts[::2]).split(b",")):
            return False
    return any(_is_bare(element) for element in _elements(value + b"\n"))


def _elements(value: bytes) -> list[bytes]:
    """Cut at the commas as smtpd does: not in quotes and comments, but at an escaped one."""
    cuts = [-1]
    escape = quote = False
    comment = 0
    for at, char in enumerate(value):
        if char == 0x0A:  # smtpd looks at a line at a time, and keeps its state from one to another
            continue
        if not escape:
            quote, comment = _nesting(char, quote, comment)
        escape = char == 0x5C and not escape and not comment
        if char == 0x2C and not quote and not comment:
            cuts.append(at)
    cuts.append(len(value))
    return [value[one + 1 : other] for one, other in pairwise(cuts)]


def _is_bare(element: bytes) -> bool:
    """Return whether smtpd takes ``element`` for an address that lacks its domain."""
    escape = quote = bracket = False
    comment = last = 0
    closing = -1
    for at, char in enumerate(element):
        if not escape:
            quote, comment = _nesting(char, quote, comment)
        escape = char == 0x5C and not (escape or quote or comment)
        if not quote and not comment:
            if char in b"@:":  # it has a domain, or is a group
                return False
            if char == 0x3C and not bracket:
                bracket = True
            elif char == 0x3E and bracket:
                bracket = False
                closing = at
        if not comment and char != 0x29 and char not in _SPACE:
            last = at
    if escape or quote or comment or bracket or not element:
        return False
    if closing >= 0:
        return not element[:closing].rstrip(_SPACE).endswith(b"<")
    return element[last] not in _SPACE


def _nesting(char: int, quote: bool, comment: int) -> tuple[bool, int]:
    """Return the state of quotes and comments behind ``char``."""
    if char == 0x28 and not quote:
        return quote, comment + 1
    if char == 0x22 and not comment:
        return not quote, comment
    if char == 0x29 and not quote and comment:
        return quote, comment - 1
    return quote, comment


def added_fields(header: bytes, domain: bytes, now: float) -> list[bytes]:
    """Return a Date and a Message-ID field where smtpd would find none and add its own.

    ``header`` is the message's header, each line behind a line feed; ``domain`` stands on the right
    of the message id; ``now`` is in seconds since the epoch.
    """
    present = {name.lower() for name in _ADDED_NAME.findall(header)}
    fields = []
    if b"date" not in present:
        fields.append(b"Date: " + date(now).encode("ascii"))
    if b"message-id" not in present:
        fields.append(b"Message-ID: <%s@%s>" % (os.urandom(16).hex().encode("ascii"), domain))
    return fields


def is_submission(destination: bytes) -> bool:
    """Return whether smtpd adds Date and Message-ID for a listener.

    ``destination`` is as in the report link-connect: ``b"127.0.0.1:25"``, ``b"unix:/path"``.
    """
    if destination.startswith(b"unix:"):
        return True
    host, _, port = destination.rpartition(b":")
    return port == _SUBMISSION or host in _LOCAL
