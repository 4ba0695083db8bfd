"""The rule ``privacy``: for whom it holds, and that it hides what ``mask-src`` of smtpd hides."""

import re
import smtplib

import pytest

from integration.support.headers_scenes import (
    PORTS,
    connect,
    own_received,
    prepare,
    short,
    written,
)
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, NO_PTR
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL, OUTSIDE, STRANGER
from lab.shows.guide import PASSWORD
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "headers", prepare)], indirect=True, ids=str
)
TELLING = (
    b"Received: from laptop.example (unknown [10.1.2.3])\r\n\tby relay.example with SMTP;\r\n\tnow",
    b"User-Agent: Laptop's own 1.2",
    b"X-Mailer: of the office",
    b"X-Originating-IP: [10.1.2.3]",
)
KEPT = (b"From: alice@example.com", b"X-Other: 10.1.2.3")
ADDRESS = re.compile(rb"192\.0\.2\.\d+|10\.1\.2\.3|laptop|client\.example\.net")


def sent(lab: Lab, client: smtplib.SMTP, *fields: bytes) -> bytes:
    """Send Alice a message, and return it as she got it."""
    reply = mail.send(client, LOCAL, LOCAL, written(*fields))
    assert reply[0] == 250, reply
    return lab.inbox.one().message


def logged_in(lab: Lab, title: str, source: str = CONFIRMED_PTR) -> smtplib.SMTP:
    """Connect to a listener, start TLS, and log in as Alice."""
    client = connect(title, source)
    client.starttls(context=mail.trusting(lab.guide))
    client.login("alice", PASSWORD)
    return client


def test_a_user(lab: Lab) -> None:
    with logged_in(lab, "privacy") as client:
        mail.send(client, LOCAL, LOCAL, written(*KEPT, *TELLING))
    delivered = lab.inbox.one()
    assert short(delivered) == b"Received:\r\n" + written(*KEPT)
    assert own_received(delivered.message).startswith(
        b"Received: by example.com (OpenSMTPD) with ESMTPSA id (TLSv1.3:"
    )
    assert ADDRESS.findall(delivered.message) == [b"10.1.2.3"]  # of X-Other


@pytest.mark.parametrize("line", [b"\tx", b"\t\r", b" x\ry"])
def test_a_header_that_begins_with_a_blank(lab: Lab, line: bytes) -> None:
    """Its first line continues the field that smtpd has written."""
    with logged_in(lab, "privacy") as client:
        mail.send(client, LOCAL, LOCAL, line + b"\r\n" + written(*KEPT))
    assert ADDRESS.findall(lab.inbox.one().message) == [b"10.1.2.3"]  # of X-Other


def test_a_user_who_writes_to_others(lab: Lab) -> None:
    with logged_in(lab, "privacy") as client:
        mail.send(client, LOCAL, OUTSIDE, written(*KEPT, *TELLING))
    message = lab.sink.take()
    assert ADDRESS.findall(message) == [b"10.1.2.3"]
    assert message.count(b"Received:") == 1


def test_a_stranger(lab: Lab) -> None:
    for title in ("privacy", "bare"):
        with connect(title) as client:
            assert mail.send(client, STRANGER, LOCAL, written(*KEPT, *TELLING))[0] == 250
    ours, bare = lab.inbox.take(2)
    assert short(ours) == short(bare) == b"Received:\r\n" + written(*KEPT, *TELLING)
    assert own_received(ours.message) == own_received(bare.message)
    assert b"[192.0.2.7]" in own_received(ours.message)


def test_a_stranger_with_tls(lab: Lab) -> None:
    with connect("privacy") as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        message = sent(lab, client, *KEPT, *TELLING)
    assert b"[192.0.2.7]" in own_received(message)
    assert b"User-Agent" in message


@pytest.mark.parametrize(
    ("host", "port", "source"),
    [
        ("127.0.0.1", 25, "127.0.0.1"),
        (SERVER4, PORTS["privacy"], SERVER4),
    ],
)
def test_a_program_on_this_machine(lab: Lab, host: str, port: int, source: str) -> None:
    with mail.connect(source, port, host) as client:
        message = sent(lab, client, *KEPT, *TELLING)
    assert b"User-Agent" not in message
    assert own_received(message).startswith(b"Received: by example.com (OpenSMTPD) with ESMTP id")


def test_sendmail(lab: Lab) -> None:
    """By the socket; filter-dkimsign signs what is left."""
    mail.sendmail(lab.guide.view, "alice", LOCAL, written(*KEPT, *TELLING))
    message = lab.inbox.one().message
    assert b"User-Agent" not in message
    assert own_received(message).startswith(b"Received: by example.com (OpenSMTPD) with ESMTPA id")
    assert ADDRESS.findall(message) == [b"10.1.2.3"]


@pytest.mark.parametrize("source", [CONFIRMED_PTR, NO_PTR])
@pytest.mark.parametrize("user", [True, False])
def test_it_writes_what_mask_src_writes(lab: Lab, source: str, user: bool) -> None:
    """But for blanks: smtpd leaves the first line of the field empty."""
    if user:
        made = [logged_in(lab, title, source) for title in ("privacy", "masked")]
    else:
        made = [mail.connect(SERVER4, PORTS[title]) for title in ("privacy", "masked")]
    received = []
    for client in made:
        received.append(own_received(sent(lab, client, *KEPT)))
        client.quit()
    assert received[0] == received[1]
    assert received[0].startswith(b"Received: by example.com (OpenSMTPD) with ESMTP")


def test_rules_behind_it_do_not_see_what_it_hides(lab: Lab) -> None:
    """``marks`` has it last: its other rules are followed all the same."""
    with logged_in(lab, "before dkimsign") as client:
        message = sent(lab, client, *KEPT, b"Subject: a secret", b"User-Agent: x")
    assert b"\nSubject: hidden\n" in message
    assert b"User-Agent" not in message
