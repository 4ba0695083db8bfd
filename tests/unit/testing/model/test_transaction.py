"""A message in the model: its lines before and after the filters."""

import pytest

from opensmtpd.testing import Smtpd, Transaction
from unit.support.smtpd_steps import echo, greeted, proceed, started


def test_a_new_one() -> None:
    new = Transaction("018a64ac", b"")
    assert (new.msgid, new.sender, new.recipients) == ("018a64ac", b"", [])
    assert (new.junk, new.fate, new.reply) == (False, "pending", b"")
    assert (new.trace, new.sent, new.lines) == (0, [], [])
    assert (new.content, new.received) == (b"", b"")
    assert Transaction("1", b"").recipients is not new.recipients


def test_its_lines_are_joined_with_line_feeds() -> None:
    some = Transaction("018a64ac", b"bob@remote.example")
    some.sent = [b"Received: from x", b"\tby y", b"Subject: hi", b"", b".x"]
    some.lines = [b"X-New: 1", b"Subject: hi", b"", b".x"]
    for trace, received in (
        (0, b""),
        (1, b"Received: from x\n"),
        (2, b"Received: from x\n\tby y\n"),
    ):
        some.trace = trace
        assert some.received == received
    assert some.content == b"X-New: 1\nSubject: hi\n\n.x\n"


def sending(smtpd: Smtpd, *recipients: bytes) -> Transaction:
    """Return the transaction of a client that has sent DATA."""
    client = greeted(smtpd)
    client.mail()
    for recipient in recipients:
        client.rcpt(recipient)
    client.data()
    return client.transactions[0]


@pytest.mark.parametrize(
    ("recipients", "ends"),
    [
        (
            [b"a@example.com"],
            b"\tby example.com (OpenSMTPD) with ESMTP id %s\n\tfor <a@example.com>;\n",
        ),
        (
            [b"a@example.com", b"b@example.com"],
            b"\tby example.com (OpenSMTPD) with ESMTP id %s;\n",
        ),
    ],
)
def test_what_smtpd_puts_in_front(recipients: list[bytes], ends: bytes) -> None:
    some = sending(started(phases=b""), *recipients)
    assert some.recipients == recipients
    assert some.received == (
        b"Received: from client.example (client.example [192.0.2.5])\n"
        + ends % some.msgid.encode()
        + b"\tSun, 22 Nov 2026 08:21:45 +0000 (UTC)\n"
    )


def test_its_fate() -> None:
    smtpd = started(phases=b"data-line commit")
    some = sending(smtpd, b"a@example.com")
    client = smtpd.clients[0]
    client.send(b"Subject: hi\n\n.dot\n")
    assert (some.fate, client.waiting) == ("pending", True)
    echo(smtpd)
    assert (some.fate, client.waiting) == ("pending", True)
    proceed(smtpd, client)
    assert (some.fate, client.waiting) == ("accepted", False)
    assert some.reply == b"250 2.0.0 %s Message accepted for delivery" % some.msgid.encode()
    assert some.content == some.received + b"Subject: hi\n\n.dot\n"
