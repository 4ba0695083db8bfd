"""The field as we write it (RFC 8601 section 2.2), with values that a client or the DNS chose.

No reader may find a result in it that we did not mean. Readers that follow the grammar are safe by
quoting. Others split at each semicolon, drop parentheses before they look at quotes, or search the
whole field for ``dmarc=pass``. So a value that needs an escape, or that says ``=pass``, is left
out: a result without a property is still true.

The field is folded as the C filter-auth folds it: at 78 columns, with a tab.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from opensmtpd.dns.names import is_query_name
from opensmtpd.mail.dkim.a_label import to_a_labels
from opensmtpd.mail.dkim.folding import Folding
from opensmtpd.mail.policy.action import harmless

NAME = b"Authentication-Results"
ARC_NAME = b"ARC-Authentication-Results"
"""The name of the field that belongs to an ARC set (RFC 8617 section 4.1.1)."""

REASON_MAX = 200
VALUE_MAX = 320
"""Characters of a value: those of the longest address (RFC 5321 section 4.5.3.1)."""

_TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+")  # RFC 2045 section 5.1
_ADDRESS = re.compile(r"[!#$%&'*+./0-9=?A-Z^_`a-z{|}~-]*@[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*")
"""The third form of a value, ``[[local-part] "@"] domain-name``, without quoted local parts."""
_QUOTED = re.compile(r'[^"\\;()]+')
_CLAIM = re.compile(r"= *pass", re.IGNORECASE)
_SOFT = str.maketrans('"\\;()', "'/,[]")


class Result(NamedTuple):
    """The result of one method for the message.

    The first two are ours. All other text may hold any characters.
    """

    method: str
    """``"spf"``, say: a name of IANA's registry of email authentication methods."""
    result: str
    """``"pass"``, say."""
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    """Pairs such as ``("smtp.mailfrom", "alice@example.com")``."""


def field_value(
    authserv_id: str, results: Sequence[Result], arc_instance: int | None = None
) -> list[bytes]:
    """Return the lines of the value, as ``EditedMessage.prepend`` takes them.

    With ``arc_instance`` it is the value of an ARC-Authentication-Results field. A line has 78
    columns, or one word and at most 600 bytes. U-labels become A-labels. Of a reason, up to 200
    characters are written, and those that could mislead a reader become similar ones. A property
    whose value does not fit is left out, but of a sender the domain remains.
    """
    words = [f"{_identifier(authserv_id)};"]
    for result in results:
        words += _words(result)
        words[-1] += ";"
    words[-1] = words[-1][:-1] if results else words[-1] + " none"
    if arc_instance is not None:
        words.insert(0, f"i={arc_instance};")
    first, *others = [word.encode("ascii") for word in words]
    name = NAME if arc_instance is None else ARC_NAME
    field = Folding(first, len(name) + len(": ") + len(first))
    for word in others:
        field.piece(b" " + word)
    return field.text().split(b"\r\n")


def _words(result: Result) -> Iterator[str]:
    yield f"{result.method}={result.result}"
    reason = harmless(result.reason[:REASON_MAX]).translate(_SOFT)
    if reason and not _CLAIM.search(reason):
        yield f'reason="{reason}"'
    for name, text in result.properties:
        local, at, domain = text.rpartition("@")
        domain = _ascii_name(domain)
        value = _value(local + at + domain) if domain else ""
        if not value and name == "smtp.mailfrom":  # it may be the domain alone (section 2.7.2)
            value = _value(domain)
        if value:
            yield f"{name}={value}"


def _ascii_name(name: str) -> str:
    """Return a domain name with A-labels, any other text as it is, "" for what is neither."""
    if name.isascii():
        return name
    try:
        found = to_a_labels(name) if len(name) <= VALUE_MAX else ""
    except UnicodeEncodeError:  # half a surrogate pair
        return ""
    return found if is_query_name(found) else ""


def _value(text: str) -> str:
    """Return a value as it is to be written, "" for one that does not fit."""
    if len(text) > VALUE_MAX or not (text.isascii() and text.isprintable()) or _CLAIM.search(text):
        return ""
    if _TOKEN.fullmatch(text) or _ADDRESS.fullmatch(text):
        return text
    return f'"{text}"' if _QUOTED.fullmatch(text) else ""


def _identifier(text: str) -> str:
    """Return our own id: a token if it can be one, else a quoted string."""
    name = _ascii_name(text) or harmless(text)
    if _TOKEN.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", harmless(name)[:255]) + '"'
