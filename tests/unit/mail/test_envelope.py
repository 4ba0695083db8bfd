"""The envelope, with the addresses that smtpd does not report."""

from types import SimpleNamespace
from typing import Any

import pytest

from opensmtpd.mail.envelope import WholeEnvelope, without_route

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


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        (b"alice@example.com", b"alice@example.com"),
        (b"alice", b"alice"),
        (b"", b""),
        (b"@relay.example:alice@example.com", b"alice@example.com"),
        (b"@a.example,@b.example:alice@example.com", b"alice@example.com"),
        (b"postmaster@x:alice@example.com", b"alice@example.com"),
        (b"x:alice", b"alice"),
        (b"a:b:alice@example.com", b"b:alice@example.com"),  # which smtpd refuses
        (b"alice@[IPv6:2001:db8::1]", b"alice@[IPv6:2001:db8::1]"),
        # Empty senders.
        (b"x:", b""),
        (b"@", b""),
        (b"x:@", b""),
    ],
)
def test_source_routes_are_left_out(argument: bytes, address: bytes) -> None:
    assert without_route(argument) == address


def test_an_envelope_with_source_routes() -> None:
    """Whether an address is reported goes by what was typed."""
    envelope = WholeEnvelope()
    envelope.begin(b"@relay.example:" + LONG)
    for each in (b"x:bob@example.com", b"@relay.example:" + REPORTED):
        envelope.add(each)
    reported = session(None, b"x:bob@example.com")
    assert envelope.sender(reported) == LONG
    assert envelope.sender(session(b"x:eve@example.com")) == b"eve@example.com"
    assert envelope.recipients(reported) == [b"bob@example.com", REPORTED]
