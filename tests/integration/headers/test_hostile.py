"""Clients who send headers that nobody should: each gets a reply, and mail of others goes on."""

import smtplib

import pytest

from integration.support.headers_scenes import connect, fate, prepare, visit, written
from lab.peers import mail
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "headers", prepare)], indirect=True, ids=str
)
BODY = b"\r\nhello\r\n"
HOSTILE = {
    "4 MiB of fields": (b"X-Internal-A: " + b"b" * 900 + b"\r\n") * 4600,
    "2 MB of fields": (b"X-Internal-A: " + b"b" * 900 + b"\r\n") * 1500,
    "100,000 fields": b"A: b\r\n" * 100_000,
    "7,000 fields": b"A: b\r\n" * 7000,
    "words without an end": b"Subject: " + b"=?a?q?x" * 5000 + b"\r\n",
    "many words": (b"Subject: " + b"=?utf-8?q?x?= " * 1000 + b"\r\n") * 50,
    "folded without an end": b"Subject: buy\r\n" + b"\tnow\r\n" * 7000,
    "a long name": b"X-" + b"-" * 30_000 + b": 1\r\n",
    "a name of rules": b"X-Internal-" + b"x" * 30_000 + b": 1\r\n",
    "NUL": b"Subject: buy\0now\r\nX-\0A: 1\r\n",
    "CR": b"Subject: buy\rnow\r\nX-A\r: 1\r\n\r\r\n",
    "bytes": bytes(byte for byte in range(1, 256) if byte not in b"\r\n") + b"\r\n",
    "no fields": b"nothing\r\n",
    "a blank first": b" nothing\r\nSubject: buy now\r\n",
    "dots": b".\x01: 1\r\n.Subject: buy now\r\n",
    "lines of smtpd": b"filter-result|x|y|proceed\r\nreport|0.7|1|smtp-in|tx-commit|x|y\r\n",
    "Received of all kinds": b"Received: from x\r\nReceived:\r\nReceived: by y\r\n\tby z\r\n",
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_hostile_headers(lab: Lab, header: bytes) -> None:
    """Those that are too much are refused; a fault of ours would be a 451."""
    with connect("actions") as client:
        reply = mail.send(client, STRANGER, LOCAL, header + BODY)
    assert reply[0] in (250, 550, 552), reply
    if reply[0] == 250:
        lab.inbox.one()
    assert " handler-failed " not in lab.log
    assert visit(lab, "actions", written(b"Subject: hello")).place == "inbox"


def begin(client: smtplib.SMTP, lines: bytes) -> None:
    """Have a client begin with a message."""
    assert client.mail(STRANGER)[0] == client.rcpt(LOCAL)[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.send(lines)


def test_a_client_that_goes_in_the_middle(lab: Lab) -> None:
    for _ in range(20):
        client = connect("actions")
        begin(client, b"Subject: buy now\r\nX-A: " + b"a" * 500)
        client.close()
    assert visit(lab, "actions", written(b"X-Case: refused")).place.startswith("554 ")


def test_a_client_that_is_slow(lab: Lab) -> None:
    """A byte at a time, and others are served meanwhile."""
    with connect("actions") as client:
        begin(client, b"")
        for byte in b"Subject: buy\r\n now\r\n":
            client.send(bytes([byte]))
        assert visit(lab, "actions", written(b"Subject: hello")).place == "inbox"
        client.send(b"\r\nhello\r\n.\r\n")
        assert fate(lab, *client.getreply()).place == "550 5.7.1 Message refused"


def test_many_at_once(lab: Lab) -> None:
    clients = [connect("actions") for _ in range(20)]
    for client in clients:
        begin(client, b"Subject: buy now\r\n" + b"A: b\r\n" * 1000)
    for client in clients:
        client.send(b"\r\n.\r\n")
    assert {client.getreply() for client in clients} == {(550, b"5.7.1 Message refused")}
    for client in clients:
        client.quit()
