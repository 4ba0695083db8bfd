"""Messages that smtpd can send and others choke on: signed, passed intact or refused in words."""

import re

import pytest

from integration.support.checks import ALICE, DATE, HEADER, assert_intact, deliver
from lab.peers import mail
from lab.peers.passage import ADDED_MESSAGE_ID, through_smtpd
from lab.peers.verify import verifies
from lab.support import Lab

LONGEST = 65_485
"""Bytes of the longest line that can pass a filter: with what goes in front of it and the newline
an answer has 65,536, and smtpd's lookup process spins for ever on a longer one.
"""
BYTES = bytes(set(range(1, 256)) - {10, 13})
MESSAGE_ID = b"Message-ID: <1@lab.example.com>\r\n"
BODY = b"\r\nhello\r\n"

SIGNED = {
    "longest line in the body": HEADER + b"\r\n" + b"x" * LONGEST + b"\r\nend\r\n",
    "longest line, stuffed": HEADER + b"\r\n." + b"x" * (LONGEST - 2) + b"\r\n",
    "longest line in the header": HEADER + b"X-Long: " + b"x" * (LONGEST - 8) + b"\r\n" + BODY,
    "many long lines": HEADER + b"\r\n" + (b"y" * 65_000 + b"\r\n") * 20,
    "all bytes in the body": HEADER + b"\r\n" + BYTES + b"\r\n" + BYTES[::-1] + b"\r\n",
    "all bytes in the header": HEADER + b"X-Bytes: " + BYTES + b"\r\n" + BODY,
    "8-bit subject": HEADER.replace(b"odd", b"gr\xfc\xdfe \xf0\x9f\x93\xac") + BODY,
    "bare CR": HEADER + b"X-Cr: a\rb\r\n\r\none\rtwo\r\n\rthree\r\n",
    "CR before CRLF": HEADER + b"\r\none\r\r\ntwo\r\r\r\n\r\r\nend\r\n",
    "NUL": HEADER + b"X-Nul: a\0b\r\n\r\none\0two\r\n\0\r\nend\r\n",
    "header alone": HEADER,
    "empty body": HEADER + b"\r\n",
    "body of blank lines": HEADER + b"\r\n" * 50,
    "trailing blank lines": HEADER + BODY + b"\r\n" * 50,
    "trailing white space": HEADER + b"\r\nhello \t\r\n \r\n\t\r\n\r\n",
    "leading dots": HEADER + b".field: x\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
    "pipes": HEADER + b"X|Y: |\r\n\r\n|\r\n||\r\nfilter-dataline|0|0|x\r\n|.\r\n",
    "folded From": HEADER.replace(b"Alice <", b"Alice\r\n\t(the\r\n one)\r\n <") + BODY,
    "repeated From": HEADER + b"From: Bob <bob@example.net>\r\n" + BODY,
    "group in To": HEADER.replace(b"To: alice@example.com", b"To: undisclosed:;") + BODY,
    "bare address in To": HEADER.replace(b"To: alice@example.com", b"To: alice, Bob <bob>") + BODY,
    "bare address in Cc": HEADER + b"Cc: root,\r\n\t(x) bob,\r\n carol@example.net\r\n" + BODY,
    "empty From": HEADER.replace(b"Alice <alice@example.com>", b"") + BODY,
    "two authors without a comma": HEADER.replace(b"Alice <", b"bob@example.com <") + BODY,
    "From cut short": HEADER.replace(b"example.com>", b"example.com", 1) + BODY,
    "Bcc": HEADER + b"Bcc: secret@example.net,\r\n other@example.net\r\nX-After: x\r\n" + BODY,
    "repeated everything": HEADER * 3 + BODY,
    "unusual names": HEADER + b"x:\r\nX-Empty:\r\nX-Fold:\r\n \r\n\tx\r\n" + BODY,
    "2 MB": HEADER + b"\r\n" + (b"z" * 998 + b"\r\n") * 2_000,
    "2 MB of blank lines": HEADER + b"\r\n" + b"\r\n" * 1_000_000 + b"end\r\n",
    "35 MB": HEADER + b"\r\n" + (b"z" * 99 + b"\r\n") * 349_900,
}
UNSIGNED = {
    "no From": HEADER.partition(b"\r\n")[2] + BODY,
    "bare address in From": HEADER.replace(b"<alice@example.com>", b"<alice>") + BODY,
    "no header": BODY,
}
SUBMITTED = {
    "Date and Message-ID there": HEADER + MESSAGE_ID + BODY,
    "no Message-ID": HEADER + BODY,
    "no Date": HEADER.replace(DATE, b"") + MESSAGE_ID + BODY,
    "neither": HEADER.replace(DATE, b"") + BODY,
    "neither, header alone": HEADER.replace(DATE, b""),
}


def ids(messages: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("message", messages.values(), ids=messages)


@ids(SIGNED)
def test_signed(lab: Lab, message: bytes) -> None:
    passage = through_smtpd(message)
    assert passage is not None
    with mail.submissions(lab.guide) as client:
        assert_intact(deliver(lab, client, message), passage)


@ids(UNSIGNED)
def test_unsigned(lab: Lab, message: bytes) -> None:
    passage = through_smtpd(message)
    assert passage is not None
    before = lab.log.count(" dkim-unsigned ")
    with mail.submissions(lab.guide) as client:
        assert_intact(deliver(lab, client, message), passage, signed=False)
    assert lab.log.count(" dkim-unsigned ") == before + 1


@ids(SUBMITTED)
def test_port_587(lab: Lab, message: bytes) -> None:
    passage = through_smtpd(message)
    assert passage is not None
    with mail.submission(lab.guide) as client:
        assert_intact(deliver(lab, client, message), passage, submission=True)


def test_local_submission_of_a_bare_message(lab: Lab) -> None:
    """sendmail puts From and Date in front, smtpd Message-ID behind the header."""
    mail.sendmail(lab.guide.view, "alice", ALICE, b"Subject: hi\n\nhello\n")
    message = lab.inbox.one().message
    assert b"\nFrom:  <alice@example.com>\nDate: " in message
    assert re.search(rb"\nSubject: hi\n" + ADDED_MESSAGE_ID + rb"\nhello\n$", message)
    assert verifies(message)


def test_not_a_byte(lab: Lab) -> None:
    """Not even the blank line: what arrives is what smtpd puts in front."""
    with mail.submissions(lab.guide) as client:
        client.mail(ALICE)
        client.rcpt(ALICE)
        assert client.docmd("DATA")[0] == 354
        assert client.docmd(".")[0] == 250
    passage = through_smtpd(b"")
    assert passage is not None
    assert_intact(lab.inbox.one(), passage, signed=False)


@pytest.mark.parametrize(
    ("length", "end"), [(LONGEST + 1, b"\r\n"), (65_533, b"\r\n"), (65_534, b"\n")]
)  # the CR counts: only with a bare LF a line can have 65,534 bytes
@pytest.mark.parametrize("where", ["header", "body"])
def test_line_that_smtpd_cannot_take_back(lab: Lab, where: str, length: int, end: bytes) -> None:
    line = (b"X-Long: " + b"x" * length)[:length] + end
    parts = (HEADER, line, BODY) if where == "header" else (HEADER, b"\r\n", line)
    with mail.submissions(lab.guide) as client:
        code, text = mail.send(client, ALICE, ALICE, b"".join(parts))
        assert (code, text[:5]) == (550, b"5.6.0")
        passage = through_smtpd(HEADER + BODY)
        assert passage is not None
        assert_intact(deliver(lab, client, HEADER + BODY), passage)


def test_line_that_smtpd_does_not_take(lab: Lab) -> None:
    with mail.submissions(lab.guide) as client:
        code, text = mail.send(client, ALICE, ALICE, HEADER + b"\r\n" + b"x" * 65_534 + b"\r\n")
    assert (code, text) == (500, b"5.0.0 Line too long")


def test_header_with_a_line_that_is_no_field(lab: Lab) -> None:
    with mail.submissions(lab.guide) as client:
        code, text = mail.send(client, ALICE, ALICE, HEADER + b"no field\r\n" + BODY)
    assert (code, text[-32:]) == (550, b"Message is not RFC 2822 compliant"[-32:])


def test_larger_than_smtpd_takes(lab: Lab) -> None:
    with mail.submissions(lab.guide) as client:
        message = HEADER + b"\r\n" + (b"z" * 998 + b"\r\n") * 37_000
        code, text = mail.send(client, ALICE, ALICE, message)
    assert (code, text[-15:]) == (554, b"message too big")
