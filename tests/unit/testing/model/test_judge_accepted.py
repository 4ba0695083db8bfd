"""The verdict table of filters, row by row: what smtpd lives with, and what it makes of it.

Each row was tried on smtpd 6.8.0p2, 7.6.0p1 and 7.9.0p0 with one mail; the model must say the same,
however the bytes are cut.
"""

import pytest

from opensmtpd.testing import Smtpd
from unit.support.smtpd_walk import EVERYTHING, Write, answer, at_phase, in_data


@pytest.mark.parametrize("version", ["7.6.0", "7.9.0"])
def test_decision_report_overwrites_the_argument(version: str, write: Write) -> None:
    model = Smtpd(version)
    model.receive(EVERYTHING)
    client = at_phase(model, "ehlo")
    write(model, answer(model, client, b"report|text"))
    assert client.identity == b"text"
    client.mail()
    write(model, answer(model, client, b"report|text"))
    assert client.replies[-1] == b"553 5.1.0 Sender address syntax error"
    assert client.transactions == []


def test_an_unknown_session_is_ignored_and_the_live_one_hangs(smtpd: Smtpd, write: Write) -> None:
    client = smtpd.connect()
    token = smtpd.token("connect")
    write(smtpd, b"filter-result|0123456789abcdef|%s|proceed\n" % token)
    write(smtpd, b"filter-result|%s|%s|proceed\n" % (token, client.id))  # swapped
    write(smtpd, b"filter-dataline|0123456789abcdef|%s|text\n" % token)
    write(smtpd, b"filter-result|0123456789abcdef|%s|no such thing\n" % token)
    assert smtpd.ignored == 4
    assert smtpd.hung() == [(client.id, "connect", token)]
    assert client.replies == []


def test_answers_after_the_client_is_gone_are_ignored(smtpd: Smtpd, write: Write) -> None:
    client = in_data(smtpd)
    client.vanish()
    write(smtpd, b"filter-dataline|%s|%s|late\n" % (client.id, smtpd.token("data-line")))
    write(smtpd, b"filter-dataline|%s|%s|.\n" % (client.id, smtpd.token("data-line")))
    assert smtpd.ignored == 2
    assert smtpd.hung() == []
    assert client.transactions[0].fate == "rolled back"


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail-from"])
def test_junk_before_a_transaction_marks_the_session(
    smtpd: Smtpd, phase: str, write: Write
) -> None:
    client = at_phase(smtpd, phase)
    write(smtpd, answer(smtpd, client, b"junk"))
    assert client.junk
    assert client.connected


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail-from", "rcpt-to", "data", "commit"])
@pytest.mark.parametrize(
    "decision", [b"reject|nope", b"reject|", b"reject|250 fine", b"reject|550-a", b"disconnect|x"]
)
def test_invalid_text_drops_the_client(
    smtpd: Smtpd, phase: str, decision: bytes, write: Write
) -> None:
    client = at_phase(smtpd, phase)
    write(smtpd, answer(smtpd, client, decision))
    assert client.replies[-1] == b"421 Internal server error"
    assert not client.connected


def test_reject_421_disconnects(smtpd: Smtpd, write: Write) -> None:
    client = at_phase(smtpd, "ehlo")
    write(smtpd, answer(smtpd, client, b"reject|421 4.7.0 Go away"))
    assert client.replies[-1] == b"421 4.7.0 Go away"
    assert not client.connected


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail-from", "rcpt-to", "data", "commit"])
def test_a_long_reject_is_passed_on(smtpd: Smtpd, phase: str, write: Write) -> None:
    text = b"550 " + b"x" * 2996
    client = at_phase(smtpd, phase)
    write(smtpd, answer(smtpd, client, b"reject|" + text))
    assert client.replies[-1] == text
    assert client.connected
    assert not client.waiting
