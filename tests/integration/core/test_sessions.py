"""Clients that vanish, reset, go on and come in crowds; the filter told to reload meanwhile."""

import smtplib
import socket
import struct
import time
from collections.abc import Callable

import pytest

from integration.support.checks import ALICE, HEADER, assert_intact, deliver, hang_up
from lab.peers import mail
from lab.peers.maildir import Delivered
from lab.peers.passage import Passage, through_smtpd
from lab.shows import moves
from lab.shows.guide import new_dkim_key
from lab.support import Lab

HALF = HEADER + b"\r\n" + b"half of a message\r\n" * 20_000


def passage_of(message: bytes) -> Passage:
    passage = through_smtpd(message)
    assert passage is not None
    return passage


def numbered(number: int, lines: int = 1) -> bytes:
    body = b"".join(b"mail %d, line %d\r\n" % (number, line) for line in range(lines))
    return HEADER.replace(b"odd", b"number %03d" % number) + b"\r\n" + body


def number_of(delivered: Delivered) -> int:
    return int(delivered.content.partition(b"\nSubject: number ")[2][:3])


def begin(client: smtplib.SMTP) -> None:
    """Start a transaction and its message."""
    assert client.mail(ALICE)[0] == 250
    assert client.rcpt(ALICE)[0] == 250
    assert client.docmd("DATA")[0] == 354


def leave(client: smtplib.SMTP) -> None:
    client.close()


def reset_connection(client: smtplib.SMTP) -> None:
    """Close with a TCP reset, and what has been sent but not read is lost."""
    assert client.sock is not None
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("vanish", [leave, reset_connection])
@pytest.mark.parametrize("sent", [b"", b"From: alice@exa", HEADER, HALF, HALF + b"\r\n."])
def test_client_vanishes_in_the_middle_of_a_message(
    lab: Lab, vanish: Callable[[smtplib.SMTP], None], sent: bytes
) -> None:
    client = mail.submissions(lab.guide)
    begin(client)
    client.send(sent)
    vanish(client)
    with mail.submissions(lab.guide) as other:
        assert_intact(deliver(lab, other, numbered(1)), passage_of(numbered(1)))


def test_many_clients_vanish_at_once(lab: Lab) -> None:
    clients = [mail.submissions(lab.guide) for _ in range(16)]
    for client in clients:
        begin(client)
    for client in clients:
        client.send(HALF)
    for client in clients:
        client.close()
    with mail.submissions(lab.guide) as other:
        assert_intact(deliver(lab, other, numbered(2)), passage_of(numbered(2)))


def test_reset_in_the_middle_of_a_transaction(lab: Lab) -> None:
    with mail.submissions(lab.guide) as client:
        client.mail(ALICE)
        client.rcpt("username@example.com")
        assert client.rset()[0] == 250
        assert_intact(deliver(lab, client, numbered(3)), passage_of(numbered(3)))
        assert client.rset()[0] == 250
        client.mail(ALICE)
        assert client.rset()[0] == 250
        assert_intact(deliver(lab, client, numbered(4)), passage_of(numbered(4)))


def test_many_transactions_in_a_session(lab: Lab) -> None:
    with mail.submissions(lab.guide) as client:
        for number in range(50):
            assert mail.send(client, ALICE, ALICE, numbered(number))[0] == 250
        delivered = sorted(lab.inbox.take(50), key=number_of)
    assert [number_of(each) for each in delivered] == list(range(50))
    for number, each in enumerate(delivered):
        assert_intact(each, passage_of(numbered(number)))


def test_sixteen_sessions_interleaved(lab: Lab) -> None:
    """All messages are under way at once, a piece of each in turn."""
    clients = [mail.submissions(lab.guide) for _ in range(16)]
    messages = [numbered(number, lines=20_000) for number in range(16)]
    for client in clients:
        begin(client)
    for start in range(0, max(map(len, messages)), 50_000):
        for client, message in zip(clients, messages, strict=True):
            client.send(message[start : start + 50_000])
    for client in clients:
        client.send(b".\r\n")
    assert [client.getreply()[0] for client in clients] == [250] * 16
    for client in clients:
        client.quit()
    delivered = sorted(lab.inbox.take(16), key=number_of)
    assert [number_of(each) for each in delivered] == list(range(16))
    for message, each in zip(messages, delivered, strict=True):
        assert_intact(each, passage_of(message))


def test_reload_while_mail_flows(lab: Lab) -> None:
    """A session is neither dropped nor stalled, and a message under way keeps its key."""
    with mail.submissions(lab.guide) as client:
        begin(client)
        message = numbered(5, lines=20_000)
        for start in range(0, len(message), 100_000):
            client.send(message[start : start + 100_000])
            hang_up(lab, "reloaded")
        client.send(b".\r\n")
        assert client.getreply()[0] == 250
        assert_intact(lab.inbox.one(), passage_of(message))
        assert_intact(deliver(lab, client, numbered(6)), passage_of(numbered(6)))


def test_reload_takes_a_new_key_and_keeps_the_old_one_if_it_is_broken(lab: Lab) -> None:
    name = ("mail._domainkey.example.com", "TXT")
    record = new_dkim_key(lab.guide.view)
    with mail.submissions(lab.guide) as client:
        hang_up(lab, "reloaded")
        lab.dns.records = {**lab.dns.records, name: [record]}
        assert_intact(deliver(lab, client, numbered(7)), passage_of(numbered(7)))

        key = lab.guide.view / "etc/mail/dkim/private.key"
        good = key.read_bytes()
        key.write_text("not a key\n")
        hang_up(lab, "reload-failed")
        assert_intact(deliver(lab, client, numbered(8)), passage_of(numbered(8)))
        key.write_bytes(good)
        hang_up(lab, "reloaded")
        assert_intact(deliver(lab, client, numbered(9)), passage_of(numbered(9)))


def test_nothing_is_left_in_smtpd(lab: Lab) -> None:
    end = time.monotonic() + 30
    while True:
        shown = moves.smtpctl(lab.guide, "show", "stats")
        if {"smtp.session=0", "scheduler.envelope=0"} <= set(shown.split()):
            return
        assert time.monotonic() < end, shown
        time.sleep(0.1)
