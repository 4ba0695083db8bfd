"""filter-greylist where its DNS and its state take their time."""

from typing import Any

import pytest

from unit.support.auth_mail import SlowDns
from unit.support.greylisted import HERE, SPF, Greylisted
from unit.support.talk import S, Talk, report, request, result

NEW = b"451 4.7.1 Greylisted, please try again in 300 seconds"
CONNECT = report(b"link-connect", b"mx", b"fail", b"192.0.2.5:4711", b"192.0.2.1:25")
HELO = report(b"link-identify", b"EHLO", b"client.example")
TX_MAIL = report(b"tx-mail", b"0123abcd", b"ok", b"bob@remote.example")
RESET = report(b"tx-reset", b"0123abcd")
GONE = report(b"link-disconnect")
ASK = request(b"rcpt-to", b"alice@example.com")
REFUSED = result(b"reject|" + NEW)


class Slow(Greylisted):
    """A filter whose DNS and whose state answer when the test lets them."""

    def __init__(self, *zones: Any) -> None:
        self.slow = SlowDns(*zones)
        super().__init__("", dns=self.slow)
        self.store.later = True
        self.talk = Talk(self.filter)
        assert self.talk.say(CONNECT, HELO) == b""

    def answer(self) -> bytes:
        """Have the state answer, and the DNS; return what is said then."""
        while self.store.waiting or self.slow.waiting:
            self.store.answer()
            self.slow.answer()
        return self.talk.drain()


@pytest.fixture
def slow() -> Slow:
    return Slow(SPF)


def test_the_client_is_asked_about_before_its_recipients_come(slow: Slow) -> None:
    assert slow.talk.say(TX_MAIL) == b""
    slow.store.answer()
    slow.slow.answer()
    slow.store.answer()
    assert slow.store.steps() == [f"white {HERE}", "white spf:remote.example"]
    assert slow.talk.say(ASK) == b""
    slow.store.answer()
    assert slow.talk.drain() == REFUSED


def test_recipients_wait_for_what_is_found_out(slow: Slow) -> None:
    assert slow.talk.say(TX_MAIL, ASK) == b""
    assert slow.answer() == REFUSED
    assert slow.talk.say(ASK) == b""
    assert slow.answer() == REFUSED


@pytest.mark.parametrize("steps", range(3))
@pytest.mark.parametrize("ends", [[RESET], [RESET, GONE], [GONE]])
def test_a_client_that_goes_while_it_is_asked_about(
    slow: Slow, steps: int, ends: list[bytes]
) -> None:
    assert slow.talk.say(TX_MAIL) == b""
    for _ in range(steps):
        slow.store.answer() if slow.store.waiting else slow.slow.answer()
    assert slow.talk.say(*ends) == b""
    assert slow.slow.cancelled == len(slow.slow.waiting) == (steps == 1)
    slow.slow.waiting.clear()
    assert slow.answer() == b""
    assert len(slow.store.asked) <= 2
    assert slow.talk.logged == []
    assert slow.talk.left()[1:] == (0, 0, 0)


def test_a_client_that_goes_while_a_recipient_waits(slow: Slow) -> None:
    assert slow.talk.say(TX_MAIL, ASK, GONE) == b""
    slow.slow.waiting.clear()
    assert slow.answer() == b""
    assert slow.store.steps() == [f"white {HERE}"]
    assert (slow.talk.left(), slow.talk.logged) == ((0, 0, 0, 0), [])


def test_the_next_transaction_does_not_get_what_the_last_one_asked(slow: Slow) -> None:
    slow.talk.say(TX_MAIL, RESET, report(b"tx-mail", b"0123abce", b"ok", b"carol@x.example"), ASK)
    assert slow.answer() == REFUSED
    assert slow.store.steps()[-1] == f"greylist {HERE} carol@x.example alice@example.com"


@pytest.mark.parametrize("said", [b"tempfail", b"permfail"])
def test_about_a_sender_that_was_refused_nobody_is_asked(slow: Slow, said: bytes) -> None:
    slow.talk.say(report(b"tx-mail", b"0123abcd", said, b"bob@remote.example"))
    assert (slow.store.asked, slow.slow.waiting) == ([], [])


def test_a_session_whose_beginning_was_not_reported_is_not_greylisted() -> None:
    talk = Talk(Greylisted().filter)
    assert talk.say(TX_MAIL, ASK) == result(b"proceed")


@pytest.mark.parametrize("size", [1, 7, 200])
def test_all_is_the_same_however_the_stream_is_cut(size: int) -> None:
    lines = (CONNECT, HELO, TX_MAIL, ASK, RESET, TX_MAIL, ASK, GONE)
    whole, cut = (Talk(Greylisted("", SPF).filter) for _ in range(2))
    said = whole.say(*lines)
    assert said == REFUSED * 2
    assert cut.say(*lines, size=size) == said


def test_sessions_at_the_same_time(slow: Slow) -> None:
    other = b"1718c5e591926d29"
    link = report(b"link-connect", b"mx", b"fail", b"203.0.113.5:1", b"192.0.2.1:25", session=other)
    mail = report(b"tx-mail", b"0123abce", b"ok", b"carol@x.example", session=other)
    ask = request(b"rcpt-to", b"alice@example.com", session=other)
    assert slow.talk.say(link, TX_MAIL, mail, ASK, ask) == b""
    assert sorted(slow.answer().splitlines()) == sorted(
        result(b"reject|" + NEW, session=each).rstrip() for each in (S, other)
    )
    assert len(slow.store.steps()) == 5
