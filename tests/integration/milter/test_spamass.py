"""spamass-milter behind filter-milter: spam is wrapped up, and other mail gets a field."""

import pytest

from integration.support.milter_real import prepare, seen_by, send
from lab.peers.milters.spamass import GTUBE, SpamassServer
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milters", prepare)], indirect=True, ids=str
)
HEADER = (
    b"From: bob@example.net\r\nTo: alice@example.com\r\nSubject: hello\r\n"
    b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
)


def test_spam(lab: Lab, spamass: SpamassServer) -> None:
    """SpamAssassin makes another body, with the message as a part of it."""
    seen_by(lab, spamass)
    assert send("spamass", HEADER + b"\r\n" + GTUBE + b"\r\n")[0] == 250
    message = lab.inbox.one().message
    header, _, body = message.partition(b"\n\n")
    assert b"\nX-Spam-Flag: YES" in header
    assert b"\nX-Spam-Status: Yes, score=1000.0 required=5.0 tests=GTUBE" in header
    assert b"\nSubject: [SPAM] hello" in header
    assert b"\nContent-Type: multipart/mixed;" in header
    assert b"Found to be spam at the lab: 1000.0 points." in body
    assert b"Content-Type: message/rfc822;" in body
    assert body.count(GTUBE) == 1
    assert b"\n" + HEADER.replace(b"\r\n", b"\n") in body


def test_ham(lab: Lab, spamass: SpamassServer) -> None:
    seen_by(lab, spamass)
    body = b"hello\r\n.dot\r\n" + b"x" * 500 + b"\r\n"
    forged = b"X-Spam-Flag: YES\r\n"
    assert send("spamass", forged + HEADER + b"\r\n" + body)[0] == 250
    delivered = lab.inbox.one()
    header, _, rest = delivered.message.partition(b"\n\n")
    assert b"\nX-Spam-Status: No, score=0.0 required=5.0 tests=none" in header
    assert b"X-Spam-Flag" not in header
    assert rest == body.replace(b"\r\n", b"\n")
