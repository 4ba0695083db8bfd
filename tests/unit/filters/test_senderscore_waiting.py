"""filter-senderscore while the DNS is asked, and clients that do not wait."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.dns import Question, Reply
from unit.support.senderscore_client import BLOCKED, make, scored
from unit.support.talk import Talk, data, datalines, report, request, result


@dataclass
class Waiting:
    """A DNS that is asked, and tells when it is told to."""

    replies: list[Deferred[list[Reply]]] = field(default_factory=list)
    cancelled: int = 0

    def known(self, questions: list[Question]) -> None:
        return None

    def ask(self, questions: list[Question], until: float) -> Deferred[list[Reply]]:
        self.replies.append(Deferred())
        self.replies[-1].on_cancel(self.cancel)
        return self.replies[-1]

    def cancel(self) -> None:
        self.cancelled += 1


def waiting(line: str) -> tuple[Talk, Waiting]:
    filter: Any = make(line)
    filter.dns = dns = Waiting()
    return Talk(filter), dns


LINK = report(b"link-connect", b"client.example", b"pass", b"192.0.2.5:4711", b"192.168.0.1:25")
CONNECT = request(b"connect", b"client.example|192.0.2.5")
GONE = report(b"link-disconnect")


def answered(talk: Talk, dns: Waiting, reply: Reply) -> bytes:
    """Have the DNS reply while a request waits for it; return what that is answered."""
    job: Any = talk.job()

    async def go_on() -> object:
        answer = asyncio.ensure_future(job.task)
        await asyncio.sleep(0)
        assert not answer.done()
        dns.replies[0].settle([reply])
        return await answer

    talk.protocol.dispatcher.resolve(job, asyncio.run(go_on()))
    return talk.drain()


def test_a_client_is_greeted_when_its_score_is_known() -> None:
    talk, dns = waiting("-junkBelow 70")
    assert talk.say(LINK, CONNECT) == b""
    assert answered(talk, dns, scored(69)) == result(b"junk")


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("phase", "event", "fields"),
    [
        ("ehlo", b"ehlo", b"client.example"),
        ("mail-from", b"mail-from", b"bob@remote.example"),
        ("quit", b"quit", b""),
    ],
)
def test_it_is_not_asked_about_the_connection(
    phase: str, event: bytes, fields: bytes, early: bool
) -> None:
    """As where a filter before it junks the client: smtpd asks those behind it from HELO on."""
    talk, dns = waiting(f"-blockBelow 10 -blockPhase {phase}")
    if early:
        talk.say(LINK)
        dns.replies[0].settle([scored(9)])
        answer = talk.say(request(event, fields)) + talk.rest()
    else:
        assert talk.say(LINK, request(event, fields)) == b""
        answer = answered(talk, dns, scored(9))
    assert answer == result(b"disconnect|" + BLOCKED)


def test_the_score_is_known_when_the_message_begins() -> None:
    """The one request that is always asked about a message is DATA."""
    talk, dns = waiting("-scoreHeader")
    assert talk.say(LINK, request(b"data")) == b""
    assert answered(talk, dns, scored(42)) == result(b"proceed")
    lines = (b"Received: from x", b"Subject: x", b"", b".")
    assert talk.say(data(*lines)) == datalines(b"X-SenderScore: 42", *lines)


def test_an_answer_that_was_too_late_is_not_waited_for_again() -> None:
    filter: Any = make("-blockBelow 10 -blockPhase ehlo")
    filter.dns = Waiting()
    talk = Talk(filter, on_failure="pass", deadline=9.0)
    assert talk.say(LINK, CONNECT) == b""
    job: Any = talk.job()

    async def expire() -> None:
        waits = asyncio.ensure_future(job.task)
        job.when_cancelled(waits.cancel)
        await asyncio.sleep(0)
        talk.protocol.dispatcher.expire(10.0)
        await asyncio.wait([waits])

    asyncio.run(expire())
    assert filter.dns.cancelled == 1
    assert talk.drain() == result(b"proceed")
    assert talk.say(request(b"ehlo", b"client.example")) + talk.rest() == result(b"proceed")


def test_nobody_is_asked_for_a_client_that_is_gone() -> None:
    talk, dns = waiting("-junkBelow 70")
    assert talk.say(LINK, CONNECT, GONE) == b""
    assert dns.cancelled == 1
    assert talk.left() == (0, 0, 0, 0)
    talk.say(LINK, GONE)  # without a request, as of a client that another filter refused
    assert dns.cancelled == 2
    assert talk.logged == []
