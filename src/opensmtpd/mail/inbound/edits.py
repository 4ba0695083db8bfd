"""The fields that a judged message gets, and the forgeries that it loses."""

import re
from itertools import dropwhile

from opensmtpd.filter import EditedMessage
from opensmtpd.filter.field import Field, items
from opensmtpd.mail.authres.remove import is_ours
from opensmtpd.mail.authres.write import ARC_NAME, NAME, field_value
from opensmtpd.mail.inbound.disposition import Disposition
from opensmtpd.mail.inbound.exemption import Exemption
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.results import results
from opensmtpd.mail.policy.reason_field import header_line
from opensmtpd.mail.policy.verdict import Reason
from opensmtpd.mail.spam_fields import is_spam_field

_NAME = NAME.lower()
# Some readers take a carriage return alone for a line end, or for white space before a colon.
_hides_results = re.compile(rb"\r%s[ \t\r\v\f]*:" % re.escape(NAME), re.IGNORECASE).search


def write_results(
    mail: EditedMessage,
    authserv_id: str,
    found: Findings,
    disposition: Disposition,
    *,
    arc: bool,
    reasons: bool,
) -> None:
    """Put the results on top of a message, and remove what its client forged.

    With ``arc``, they are ARC-Authentication-Results, unless no set can be added to the chain.
    ``reasons`` adds the reason to a message that is not as it should be, besides those that are
    junk.
    """
    remove_forgeries(mail, authserv_id, spam=True)
    junk = disposition.action == "quarantine"
    if disposition.reason and (junk or reasons):
        name, _, value = header_line(Reason("auth", disposition.reason)).partition(b": ")
        mail.prepend(name, value)
    if junk:
        mail.prepend(b"X-Spam", b"Yes")
    instance = found.arc.next_instance if arc else None
    value_lines = field_value(authserv_id, results(found, disposition), instance)
    mail.prepend(NAME if instance is None else ARC_NAME, value_lines)


def write_exemption(mail: EditedMessage, authserv_id: str, spared: Exemption) -> None:
    """Write that a message is not judged.

    A listed client may be a server of ours, whose results are to be believed.
    """
    if spared is not Exemption.LISTED:
        remove_forgeries(mail, authserv_id, spam=False)
    *lines, last = field_value(authserv_id, [])
    comment = b" (not judged: %s)" % spared.encode("ascii")  # allowed there by RFC 8601 section 2.2
    mail.prepend(NAME, [*lines, last + comment])


def remove_forgeries(mail: EditedMessage, authserv_id: str, *, spam: bool) -> None:
    """Remove the client's fields that pretend to be ours (RFC 8601 section 5).

    With ``spam``, those that tell programs what is spam go, too. smtpd puts its Received field on
    top of what the client sent; fields above it are those of filters before this one.
    """
    for field in dropwhile(lambda each: each.name.lower() != b"received", mail.fields):
        name = field.name.lower()
        value = field.value
        results = (name == _NAME and is_ours(value, authserv_id)) or _hides_results(value)
        if results or (spam and is_spam_field(name)):
            mail.remove(field)


def hides_results(header: bytes) -> bool:
    """Return whether a line that is no field may be read as Authentication-Results.

    The name has a carriage return or the like before the colon, or stands behind one. Only fields
    can be removed from a message. ``header`` has each of its lines behind a line feed.
    """
    if b"\r" not in header and b"\v" not in header and b"\f" not in header:
        return False
    others = (item for item in items(header[1:] + b"\n") if not isinstance(item, Field))
    return any(_hides_results(b"\r" + item) for item in others)
