"""The steps of a client with one message."""

from collections.abc import Sequence
from typing import Any

import pytest

from opensmtpd.testing import SmtpClient, Smtpd
from opensmtpd.testing.model import visit as steps
from opensmtpd.testing.model.visit import refused, visit
from unit.support.smtpd_steps import proceed, started

MAIL = b"Subject: hi\n\n.dot\n"


def made(smtpd: Smtpd, message: bytes = MAIL, **more: Any) -> tuple[SmtpClient, list[str]]:
    """Return a client at the end of its visit, and the first words of its commands."""
    client = smtpd.connect()
    options: dict[str, Any] = {
        "helo": b"client.example",
        "tls": False,
        "username": None,
        "sender": b"bob@remote.example",
        "recipients": [b"alice@example.com"],
    }
    said = []
    for _ in visit(client, message, **(options | more)):
        said.append(client.command_line.decode())
        if client.waiting:
            proceed(smtpd, client)
    return client, said


EHLO, MAIL_FROM = "EHLO client.example", "MAIL FROM:<bob@remote.example>"
RCPT_TO = "RCPT TO:<alice@example.com>"


def test_a_message_to_its_end() -> None:
    client, said = made(started(phases=b"connect ehlo mail-from rcpt-to data commit"))
    assert said == ["", EHLO, MAIL_FROM, RCPT_TO, "DATA", "DATA"]
    [transaction] = client.transactions
    assert transaction.fate == "accepted"
    assert transaction.content == transaction.received + MAIL
    assert client.connected


@pytest.mark.parametrize(
    ("options", "before"),
    [
        ({"tls": True}, ["STARTTLS", EHLO]),
        ({"username": b"alice"}, ["STARTTLS", EHLO, "AUTH PLAIN AGFsaWNlAHNlY3JldA=="]),
    ],
)
def test_before_its_mail(options: dict[str, Any], before: list[str]) -> None:
    _, said = made(started(phases=b""), **options)
    assert said == ["", EHLO, *before, MAIL_FROM, RCPT_TO, "DATA", "DATA"]


def test_a_name_that_smtpd_does_not_take_ends_it() -> None:
    client, said = made(started(phases=b""), helo=b"a|b")
    assert said == ["", "EHLO a|b"]
    assert client.replies[-1] == b"501 5.5.4 Invalid command arguments: Invalid domain name"


@pytest.mark.parametrize(
    ("recipients", "said", "kept"),
    [
        ([b"a", b"a,b@x", b"b@x.example"], ["a", "a,b@x", "b@x.example"], [b"a", b"b@x.example"]),
        ([b"a,b@x"], ["a,b@x"], []),
        ([], [], []),
    ],
)
def test_it_goes_on_as_long_as_a_recipient_is_left(
    recipients: Sequence[bytes], said: list[str], kept: list[bytes]
) -> None:
    client, words = made(started(phases=b""), recipients=recipients)
    data = ["DATA", "DATA"] if kept else []
    assert words[3:] == [*(f"RCPT TO:<{each}>" for each in said), *data]
    assert client.transactions[0].recipients == kept


@pytest.mark.parametrize("decision", [b"reject|550 5.7.1 No", b"disconnect|421 4.3.0 Go"])
def test_it_gives_up_at_the_first_refusal(decision: bytes) -> None:
    smtpd = started(phases=b"connect")
    client = smtpd.connect()
    walk = visit(
        client, MAIL, helo=b"x.example", tls=False, username=None, sender=b"", recipients=[b"a@b"]
    )
    next(walk)
    proceed(smtpd, client, decision)
    assert list(walk) == []
    assert client.replies == [decision.partition(b"|")[2]]
    assert client.command_line == b""


def test_without_a_sender_that_is_taken_there_are_no_recipients() -> None:
    client, said = made(started(phases=b""), sender=b"a,b@x")
    assert said == ["", EHLO, "MAIL FROM:<a,b@x>"]
    assert refused(client)
    assert client.transactions == []


def test_a_long_message_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "PIECE", 2)
    smtpd = started(phases=b"")
    client, said = made(smtpd, b"".join(b"line %d\n" % number for number in range(5)))
    assert said.count("DATA") == 4  # the command, and pieces of two, two, and one with the dot
    assert client.transactions[0].content.endswith(b"line 3\nline 4\n")
    assert client.transactions[0].fate == "accepted"


@pytest.mark.parametrize(
    ("reply", "no"),
    [(b"250 ok", False), (b"354 go on", False), (b"421 x", True), (b"550 x", True), (b"", True)],
)
def test_what_is_a_refusal(reply: bytes, no: bool) -> None:
    client = started(phases=b"").connect()
    client.replies.append(reply)
    assert refused(client) is no
