"""The choices for signatures, and the words by which administrators name them."""

import re
from typing import Literal, NamedTuple, TypeAlias

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.sign.smtpd_changes import ADDED, DROPPED

Canonicalization: TypeAlias = Literal["simple", "relaxed"]

# RFC 6376 section 5.4.1, in the order of the C filter-dkimsign, which lacks List-Unsubscribe-Post:
# RFC 8058 section 4 demands that a signature covers it.
AUTHOR_NAMES = "from:reply-to:subject:date:to:cc"
RESENT_NAMES = "resent-date:resent-from:resent-to:resent-cc"
THREAD_NAMES = "in-reply-to:references"
LIST_NAMES = (
    "list-id:list-help:list-unsubscribe:list-unsubscribe-post:list-subscribe:list-post:list-owner"
    ":list-archive"
)
NAMES = ":".join((AUTHOR_NAMES, RESENT_NAMES, THREAD_NAMES, LIST_NAMES))
"""The fields that a signature covers unless told otherwise."""

# RFC 5322 section 3.6.8, without the semicolon, which would end the tag.
_NAME = re.compile(r"[!-9<-~]+")
_ADDED_ON_THE_WAY = re.compile(
    rb"received|received-spf|return-path|delivered-to|authentication-results|dkim-signature"
    rb"|domainkey-signature|arc-.*|x-spam.*"
)
"""Fields that mail systems add in front of a message; our own signature is one of them."""
_CANONICALIZATION = re.compile(r"(simple|relaxed)(?:/(simple|relaxed))?")


class Style(NamedTuple):
    """The choices for signatures."""

    header: Canonicalization = "simple"
    body: Canonicalization = "simple"
    names: tuple[bytes, ...] = tuple(NAMES.encode().split(b":"))
    """Fields to cover, in lower case; ``b"from"`` must be among them."""
    oversigned: tuple[bytes, ...] = ()
    """Fields to cover once more than they occur, so that nobody can add one."""
    timestamp: bool = False
    """Add ``t=``, the time of signing."""
    lifetime: int = 0
    """Add ``x=``, so many seconds from now; 0 for none."""
    copies: int = 0
    """Add ``z=``: 1 copies the fields that are covered, 2 all."""
    unmatched: Literal["first", "skip"] = "first"
    """Sign as the first domain what comes from none of ours, or do not sign it."""


def canonicalization(text: str) -> tuple[Canonicalization, Canonicalization]:
    """Read ``header[/body]``; the body's is "simple" where it is not given. Raises ConfigError."""
    match = _CANONICALIZATION.fullmatch(text)
    if match is None:
        remedy = "write simple or relaxed, or one each for header and body: relaxed/simple"
        raise ConfigError(f"unknown canonicalization {text!r}", remedy=remedy)
    header, body = match.groups()
    return _canonicalization(header), _canonicalization(body)


def _canonicalization(word: str | None) -> Canonicalization:
    return "relaxed" if word == "relaxed" else "simple"


def field_names(text: str) -> tuple[bytes, ...]:
    """Read a list of fields to cover, with colons between them. Raises ConfigError.

    Bcc is left out: smtpd drops that field after its filters.
    """
    names = text.lower().split(":")
    for name in names:
        if not _NAME.fullmatch(name):
            remedy = "write names of header fields with colons between them: from:to:subject"
            raise ConfigError(f"no name of a header field: {name!r}", remedy=remedy)
    if "from" not in names:
        raise ConfigError("From must be covered (RFC 6376 section 5.4)", remedy="add from")
    return tuple(name.encode() for name in dict.fromkeys(names) if name.encode() != DROPPED)


def oversigned(names: tuple[bytes, ...] | None) -> tuple[bytes, ...]:
    """Return the fields to cover once more than they occur.

    ``names`` are those that an administrator asked for; None leaves the choice to us. Date and
    Message-ID are never among them, since smtpd may add them, nor are the fields that each mail
    system on the way adds: every signature would break. Unless asked for, nor are those that
    mailing lists, and people who resend mail, add rightly.
    """
    if names is None:
        names = field_names(f"{AUTHOR_NAMES}:{THREAD_NAMES}")
    return tuple(
        name for name in names if name not in ADDED and not _ADDED_ON_THE_WAY.fullmatch(name)
    )
