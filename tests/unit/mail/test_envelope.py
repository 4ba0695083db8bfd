"""The envelope, with the addresses that smtpd does not report."""

from types import SimpleNamespace
from typing import Any

from opensmtpd.mail.envelope import WholeEnvelope

LONG = b"a" * 243 + b"@example.com"
REPORTED = LONG[1:]


def session(sender: bytes | None, *recipients: bytes) -> Any:
    return SimpleNamespace(sender=sender, recipients=list(recipients))


def test_long_addresses_are_there_though_smtpd_reports_none() -> None:
    assert (len(REPORTED), len(LONG)) == (254, 255)
    envelope = WholeEnvelope()
    envelope.begin(LONG)
    for each in (b"alice@example.com", REPORTED, LONG):
        envelope.add(each)
    reported = session(None, b"alice@example.com", REPORTED)
    assert envelope.sender(reported) == LONG
    assert envelope.recipients(reported) == [b"alice@example.com", REPORTED, LONG]
    envelope.begin(b"")
    assert envelope.sender(session(None)) == b""
    assert envelope.recipients(session(b"")) == []


def test_a_sender_that_was_refused_amid_a_transaction() -> None:
    envelope = WholeEnvelope()
    envelope.begin(b"bob@remote.example")
    envelope.begin(b"joe@remote.example")
    assert envelope.sender(session(b"bob@remote.example")) == b"bob@remote.example"


def test_so_many_are_kept() -> None:
    envelope = WholeEnvelope()
    for _ in range(1200):
        envelope.add(LONG)
    assert len(envelope.recipients(session(b""))) == 1000
