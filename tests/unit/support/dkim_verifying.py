"""Whole messages through the verifier, in the process of a test."""

from collections.abc import Mapping, Sequence
from typing import Any

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply, run_lookup
from opensmtpd.mail.dkim.verify.bodies import BodyHashes
from opensmtpd.mail.dkim.verify.keys_worker import PublicKeyWorker
from opensmtpd.mail.dkim.verify.verifier import DkimResult, DkimVerification
from opensmtpd.testing.zone import Zone

NOW = 1795824000
"""The 28th of November 2026."""


def lines_of(message: bytes) -> tuple[bytes, list[bytes]]:
    """Return the header and the body lines of a message as smtpd hands it to a filter.

    Each line of the header is behind a line feed; a line ends at a line feed, and loses one CR.
    """
    lines = [line.removesuffix(b"\r") for line in message.removesuffix(b"\n").split(b"\n")]
    blank = lines.index(b"") if b"" in lines else len(lines)
    return b"".join([b"\n" + line for line in lines[:blank]]), lines[blank + 1 :]


def zone_of(records: Mapping[str, str | list[str] | None]) -> Zone:
    """Return a DNS of TXT records; ``"SERVFAIL"`` is no answer, None no such name."""
    replies: dict[Question, Reply] = {}
    for name, value in records.items():
        reply: Reply = Absent()
        if value == "SERVFAIL":
            reply = Failed("SERVFAIL")
        elif value is not None:
            reply = Found((value,) if isinstance(value, str) else tuple(value))
        replies[Question(name, RecordType.TXT)] = reply
    return Zone(replies)


def arrived(
    message: bytes,
    zone: Zone,
    at_once: int = 1 << 20,
    author: str | None = "example.com",
    **options: Any,
) -> DkimVerification:
    """Return the verification of a message that has come, so many lines of its body at once."""
    header, body = lines_of(message)
    bodies = BodyHashes()
    verification = DkimVerification(header, bodies, author=author, **{"now": NOW, **options})
    for at in range(0, len(body), at_once):
        bodies.feed(body[at : at + at_once])
    assert run_lookup(verification.keys(), zone, 0.0) is None
    bodies.end()
    return verification


def verified(
    message: bytes, zone: Zone, at_once: int = 1 << 20, **options: Any
) -> list[DkimResult]:
    """Return the results for a message."""
    verification = arrived(message, zone, at_once, **options)
    return verification.results(answers(verification.claims()))


def answers(claims: Sequence[Sequence[Any]]) -> list[Any]:
    """Return what a worker replies, as it crosses to the front."""
    return [list(each) for each in PublicKeyWorker().handle([list(each) for each in claims])]
