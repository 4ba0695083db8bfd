"""Rules of filter-headers from a text, and messages that follow them without smtpd, or with one."""

import tempfile
from typing import Any

from opensmtpd.filter import EditedMessage
from opensmtpd.filter.edits import Edits
from opensmtpd.mail.headers.rules import HeaderRules, HeaderVerdict
from opensmtpd.testing import Outcome, run_message
from opensmtpd_filters.headers import Headers, parser

NEW_SESSION = "9e3779b97f4a7c15 "
"""The model's first session, in front of a line of the log."""
OWN = b"Received: from a (b [192.0.2.5])\n\tby example.com (OpenSMTPD) with ESMTP id 1;\n\tdate\n"
"""smtpd's own field, as it stands on top of a header."""
LINE_MAX = 65_485


def read(text: str | bytes) -> HeaderRules:
    """Return the rules of a file with this text. Raises ConfigError."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode() if isinstance(text, str) else text)
        file.flush()
        return HeaderRules(file.name)


def opened(header: bytes) -> tuple[EditedMessage, Edits]:
    """Return a message with a header, as in ``end``, and what becomes of the header."""
    message, edits = EditedMessage(), Edits(header, LINE_MAX)
    message._load = lambda: edits
    return message, edits


def follow(
    rules: HeaderRules | str, header: bytes, *, ours: bool = False
) -> tuple[HeaderVerdict, bytes]:
    """Return the verdict about a header below smtpd's own field, and what it is then."""
    message, edits = opened(OWN + header)
    found = rules if isinstance(rules, HeaderRules) else read(rules)
    verdict = found.follow(message, ours=ours)
    return verdict, edits.header()


def after(rules: HeaderRules | str, header: bytes) -> bytes:
    """Return what a header is after the rules, without smtpd's own field; none refuses."""
    verdict, text = follow(rules, header)
    assert verdict.refusal is None
    return text.replace(OWN, b"")


def line_of(rules: str, header: bytes) -> int:
    """Return the line of the rule that refuses or junks, 0 for none."""
    return follow(rules, header)[0].line


def make(text: str) -> Headers:
    """Return the filter with a file of rules, which is gone then."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        return Headers(parser().parse_args([file.name]))


def send(text: str, message: bytes, **about: Any) -> Outcome:
    """Return the fate of a message; ``about`` goes to ``run_message``."""
    return run_message(make(text), message, **about)
