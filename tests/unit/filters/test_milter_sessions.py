"""filter-milter: whole sessions, as milters hear of them."""

import threading
from typing import Any

import pytest

from opensmtpd.filter import Data, Reject, Session
from opensmtpd.testing import SmtpClient
from opensmtpd_filters.milter import Milter
from unit.support import milter_mail
from unit.support.milter_mail import MESSAGE, NEW_SESSION, OPEN, UNAVAILABLE, Talk, talk
from unit.support.processes import until
from unit.support.scripted_milter import (
    ACCEPT,
    CONTINUE,
    DISCARD,
    REJECT,
    TEMPFAIL,
    Heard,
    ScriptedMilter,
    said,
)

OK, RCPT_OK = b"250 2.0.0 Ok", b"250 2.1.5 Destination address valid: Recipient ok"
DATA_OK = b'354 Enter mail, end with "." on a line by itself'
REJECTED = b"550 5.7.1 Command rejected"
LATER = b"451 4.7.1 Service unavailable, try again later"


def accepted(reply: bytes) -> bool:
    return reply.startswith(b"250 2.0.0 ") and reply.endswith(b" Message accepted for delivery")


def test_two_messages() -> None:
    with ScriptedMilter() as milter:
        with talk(milter) as mta:
            client = mta.greeted()
            assert accepted(mta.mail(client))
            assert accepted(mta.mail(client))
            mta.say(client.quit)
            milter.gone()
        assert milter.letters() == b"OCH" + b"MRTLLNBE" * 2 + b"Q"
        ids = [found[b"i"] for found in milter.macros(b"E")]
    assert ids == [each.msgid.encode() for each in client.transactions]


def test_several_clients_at_once() -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        clients = [mta.greeted(source=b"192.0.2.%d:25" % number) for number in range(5)]
        for step in ("mail", "rcpt", "data"):
            for client in clients:
                mta.say(getattr(client, step))
        for number, client in enumerate(clients):
            assert accepted(mta.say(client.send, b"X: %d\n\n" % number))
            mta.say(client.quit)
        milter.gone()
        assert milter.connections == 5
        assert {milter.letters(number) for number in range(5)} == {b"OCHMRTLNEQ"}


def test_starttls() -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        mta.say(client.starttls)
        assert client.tls
        mta.say(client.ehlo, b"again.example")
        mta.say(client.auth, b"bob")
        assert accepted(mta.mail(client))
        mta.say(client.quit)
        milter.gone()
        assert milter.letters() == b"OCHHMRTLLNBEQ"
        assert milter.data(b"H") == [b"client.example\0", b"again.example\0"]
        assert [found[b"{tls_version}"] for found in milter.macros(b"H")] == [b"TLSv1.3"]
        assert milter.macros(b"M")[0][b"{auth_authen}"] == b"bob"


def test_rset() -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        mta.say(client.mail)
        mta.say(client.rset)
        mta.say(client.rset)
        mta.say(client.mail, b"second@remote.example")
        mta.say(client.rcpt)
        mta.say(client.rset)
        assert accepted(mta.mail(client))
        mta.say(client.rset)
        mta.say(client.quit)
        milter.gone()
        assert milter.letters() == b"OCHMAMRAMRTLLNBEQ"
        assert milter.data(b"M")[1] == b"<second@remote.example>\0"


def test_helo_amid_a_message() -> None:
    """smtpd refuses it, so that milters do not hear of it."""
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        mta.say(client.mail)
        assert mta.say(client.ehlo).startswith(b"503 ")
        mta.say(client.rset)
        assert accepted(mta.mail(client))
        assert milter.letters() == b"OCHMAMRTLLNBE"


def test_ehlo_that_ends_a_message(logged: list[str]) -> None:
    """smtpd 7.9 asks its filters first: the milters hear of it with the next message."""
    with ScriptedMilter() as milter, talk(milter, version="7.9.0") as mta:
        client = mta.greeted()
        mta.say(client.mail)
        assert mta.say(client.ehlo, b"again.example") == b"250 HELP"
        milter.gone()
        assert accepted(mta.mail(client))
        assert accepted(mta.mail(client))
        assert milter.letters() == b"OCHMQ" + b"OCH" + b"MRTLLNBE" * 2
        assert milter.data(b"H") == [b"client.example\0", b"again.example\0"]
    assert logged == []


def test_a_refused_name_amid_a_message() -> None:
    with ScriptedMilter() as milter, talk(milter, version="7.9.0") as mta:
        client = mta.greeted()
        mta.say(client.mail)
        milter.replies[b"H"] = REJECT
        assert mta.say(client.ehlo) == b"250 HELP"
        assert [mta.say(client.mail), mta.say(client.mail)] == [REJECTED, REJECTED]


def test_a_message_that_one_of_two_discards_is_forgotten_by_the_other(logged: list[str]) -> None:
    with ScriptedMilter() as one, ScriptedMilter({b"R": DISCARD}) as other:
        with talk(one, other) as mta:
            client = mta.greeted()
            for step in (client.mail, client.rcpt, client.rset, client.starttls, client.ehlo):
                assert mta.say(step)[:1] == b"2"
        assert one.letters() == b"OCHMRAH"
        assert other.letters() == b"OCHMRH"
    assert logged == []


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "line"])
def test_a_client_that_vanishes(step: str) -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        for each in ("mail", "rcpt", "data"):
            mta.say(getattr(client, each))
            if each == step:
                break
        if step == "line":
            client.line(b"Subject: x")
        client.vanish()
        mta.settle()
        milter.gone()
        heard = {"mail": b"M", "rcpt": b"MR", "data": b"MRT", "line": b"MRT"}[step]
        assert milter.letters() == b"OCH" + heard + b"AQ"


def test_a_client_that_only_connects() -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        mta.come().vanish()
        mta.settle()
        milter.gone()
        assert milter.letters() == b"OCQ"


# --- refusals -------------------------------------------------------------------------------------


def test_a_refused_recipient() -> None:
    def judge(heard: Heard) -> bytes:
        return said(b"550 5.1.1 No such user") if b"<no@" in heard.data else CONTINUE

    with ScriptedMilter({b"R": judge}) as milter, talk(milter) as mta:
        client = mta.greeted()
        assert mta.say(client.mail) == OK
        assert mta.say(client.rcpt, b"no@example.com") == b"550 5.1.1 No such user"
        assert mta.say(client.rcpt, b"yes@example.com") == RCPT_OK
        assert mta.say(client.rcpt, b"no@example.com") == b"550 5.1.1 No such user"
        assert mta.say(client.data) == DATA_OK
        assert accepted(mta.say(client.send, MESSAGE))
        assert client.transactions[0].recipients == [b"yes@example.com"]
        assert milter.letters() == b"OCHMRRRTLLNBE"


def test_a_refused_sender_and_another_one() -> None:
    def judge(heard: Heard) -> bytes:
        return TEMPFAIL if b"<no@" in heard.data else CONTINUE

    with ScriptedMilter({b"M": judge}) as milter, talk(milter) as mta:
        client = mta.greeted()
        assert mta.say(client.mail, b"no@remote.example") == LATER
        assert mta.say(client.mail, b"no@remote.example") == LATER
        assert accepted(mta.mail(client))
        assert milter.letters() == b"OCHMMMRTLLNBE"


@pytest.mark.parametrize("letter", [b"C", b"H"])
@pytest.mark.parametrize("reply", [REJECT, TEMPFAIL, said(b"554 5.7.0 Go")])
def test_a_refused_session_stays_refused(letter: bytes, reply: bytes) -> None:
    with ScriptedMilter({letter: reply}) as milter, talk(milter) as mta:
        client = mta.come()
        words = {REJECT: REJECTED, TEMPFAIL: LATER}.get(reply, b"554 5.7.0 Go")
        if letter == b"C":
            assert client.replies[-1] == words
            words = b"503 5.5.1 Invalid command: Command not allowed at this point."
        for step in (client.ehlo, client.helo, client.ehlo):
            assert mta.say(step) == words
        assert client.transactions == []
        client.vanish()
        mta.settle()
        milter.gone()
        assert milter.letters() == (b"OCQ" if letter == b"C" else b"OCHQ")


def test_the_second_helo_is_refused() -> None:
    """Behind STARTTLS; the refusal holds for all that follows."""
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        mta.say(client.starttls)
        milter.replies[b"H"] = REJECT
        assert mta.say(client.ehlo) == REJECTED
        assert mta.say(client.ehlo) == REJECTED
        milter.replies.clear()
        assert mta.say(client.helo) == REJECTED
        assert milter.letters() == b"OCHH"


@pytest.mark.parametrize("reply", [REJECT, TEMPFAIL])
def test_refused_data_stays_refused(reply: bytes) -> None:
    """smtpd keeps the transaction, so that a client may say DATA again."""
    with ScriptedMilter({b"T": reply}) as milter, talk(milter) as mta:
        client = mta.greeted()
        mta.say(client.mail)
        mta.say(client.rcpt)
        words = REJECTED if reply == REJECT else LATER
        for step in (client.data, client.rcpt, client.data):
            assert mta.say(step) == words
        milter.replies.clear()
        assert mta.say(client.data) == words
        mta.say(client.rset)
        assert accepted(mta.mail(client))
        assert milter.letters().startswith(b"OCHMRTMRTLLNBE")


class Behind(Milter):
    """The milters, and a filter behind them that refuses the first DATA."""

    refused = False

    def on_data(self, session: Session, request: Data) -> Any:
        answer: Any = super().on_data(session, request)
        if self.refused:
            return answer
        self.refused = True
        return answer.then(lambda _: Reject(451, "4.7.1 Not yet"))


@pytest.mark.parametrize("line", ["", OPEN])
def test_data_that_another_filter_refuses(
    line: str, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    """The client says DATA again: milters, who take it once, judge the message all the same."""
    monkeypatch.setattr(milter_mail, "Milter", Behind)
    with ScriptedMilter({b"E": REJECT}) as milter, talk(milter, line=line) as mta:
        client = mta.greeted()
        for step in (client.mail, client.rcpt):
            assert mta.say(step)[:1] == b"2"
        assert mta.say(client.data) == b"451 4.7.1 Not yet"
        assert mta.say(client.rcpt, b"another@example.com") == UNAVAILABLE
        assert mta.say(client.data) == DATA_OK
        assert mta.say(client.send, MESSAGE) == REJECTED
        assert milter.letters() == b"OCHMRTLLNBE"
        milter.replies.clear()
        assert accepted(mta.mail(client))
        assert milter.letters() == b"OCH" + b"MRTLLNBE" * 2
    assert logged == [
        f'{NEW_SESSION}milter-refused milter={milter.place} reply="{REJECTED.decode()}"'
    ]


def test_a_refused_message_and_another_one() -> None:
    with ScriptedMilter({b"E": REJECT}) as milter, talk(milter) as mta:
        client = mta.greeted()
        assert mta.mail(client) == REJECTED
        milter.replies[b"E"] = CONTINUE
        assert accepted(mta.mail(client))
        assert milter.letters() == b"OCH" + b"MRTLLNBE" * 2


@pytest.mark.parametrize("letter", [b"C", b"H", b"M", b"R", b"T", b"L", b"N", b"B", b"E"])
def test_421_closes(letter: bytes) -> None:
    with ScriptedMilter({letter: said(b"421 4.3.2 Closing")}) as milter, talk(milter) as mta:
        client = mta.come()
        for step in (client.ehlo, client.mail, client.rcpt, client.data):
            if client.connected:
                mta.say(step)
        if client.connected:
            mta.say(client.send, MESSAGE)
        assert client.replies[-1] == b"421 4.3.2 Closing"
        assert not client.connected
        milter.gone()


def test_discarded_and_refused_to_the_end_of_the_message() -> None:
    with ScriptedMilter({b"R": DISCARD}) as milter, talk(milter, line="--discard reject") as mta:
        client = mta.greeted()
        mta.say(client.mail)
        for step in (client.rcpt, client.rcpt):
            assert mta.say(step) == b"550 5.7.1 Message refused"
        milter.replies.clear()
        mta.say(client.rset)
        assert accepted(mta.mail(client))


def test_a_discarded_message_and_another_one() -> None:
    with ScriptedMilter({b"M": DISCARD}) as milter, talk(milter) as mta:
        client = mta.greeted()
        assert accepted(mta.mail(client))
        milter.replies.clear()
        assert accepted(mta.mail(client))
        first, second = client.transactions
        assert first.content.startswith(b"X-Spam: Yes\nReceived: ")
        assert second.content.startswith(b"Received: ")
        assert milter.letters() == b"OCHMMRTLLNBE"


@pytest.mark.parametrize(
    ("letter", "heard"), [(b"C", b"OC"), (b"H", b"OCH"), (b"M", b"OCHMMM"), (b"E", None)]
)
def test_accept_holds_for_a_session_or_a_message(letter: bytes, heard: bytes | None) -> None:
    with ScriptedMilter({letter: ACCEPT}) as milter, talk(milter) as mta:
        client = mta.greeted()
        for _ in range(3):
            assert accepted(mta.mail(client))
        assert milter.letters() == (heard or b"OCH" + b"MRTLLNBE" * 3)


# --- amid a step ----------------------------------------------------------------------------------


class Held:
    """A milter that waits at a command until the test lets it go on."""

    def __init__(self, letter: bytes) -> None:
        self.on = threading.Event()
        self.milter = ScriptedMilter({letter: self._wait})
        self.letter = letter

    def _wait(self, heard: Heard) -> bytes:
        self.on.wait()
        return CONTINUE

    def reached(self) -> None:
        until(lambda: self.letter in self.milter.letters())


def lead(mta: Talk, client: SmtpClient, letter: bytes) -> None:
    """Have a client do all up to a step, and have that one begun."""
    steps = {b"H": client.ehlo, b"M": client.mail, b"R": client.rcpt, b"T": client.data}
    for each, step in steps.items():
        if each == letter:
            step()
            return
        mta.say(step)
    client.send(MESSAGE)


@pytest.mark.parametrize("letter", [b"C", b"H", b"M", b"R", b"T"])
def test_a_client_that_vanishes_amid_a_step(letter: bytes, logged: list[str]) -> None:
    """The milter cannot be told of an abort while it works: its connection is closed.

    No milter is lost by that.
    """
    held = Held(letter)
    with held.milter as milter, talk(milter) as mta:
        if letter == b"C":
            client = mta.smtpd.connect()
        else:
            client = mta.come()
            lead(mta, client, letter)
        mta.begin()
        held.reached()
        client.vanish()
        mta.begin()
        held.on.set()
        milter.gone()
        assert milter.letters().removesuffix(b"Q").endswith(letter)
        mta.settle()
        assert accepted(mta.mail(mta.greeted()))
    assert mta.connection.session_count == 1
    assert logged == []
