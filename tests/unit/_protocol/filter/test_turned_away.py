"""Sessions above the bound: each request is refused, each message dropped, until they end."""

import pytest

from opensmtpd._protocol import bounds
from opensmtpd._protocol.filter import turned_away
from opensmtpd.answer import Offload
from opensmtpd.filter import PROCEED, Decision, Filter, HeldMessage, Helo, Session
from unit.support.talk import Talk, data, datalines, report, request, result

REFUSED = b"reject|421 4.3.2 Too many sessions at once, please try again later"
LINK = (b"a.example", b"pass", b"192.0.2.5:4711", b"192.0.2.1:25")


class Plain(Filter):
    uses = ("rdns",)

    def on_helo(self, session: Session, helo: Helo) -> Decision:
        return PROCEED

    def on_message(self, session: Session) -> HeldMessage:
        return HeldMessage()


def session(number: int) -> bytes:
    return b"%016x" % number


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_away, "SESSIONS_MAX", 2)


def full() -> Talk:
    """Return a talk with two sessions, which are all that there may be."""
    talk = Talk(Plain())
    talk.say(*(report(b"link-connect", *LINK, session=session(n)) for n in (1, 2)))
    assert talk.protocol.session_count == 2
    return talk


@pytest.mark.usefixtures("two")
def test_a_third_session_is_refused_and_the_others_are_not() -> None:
    talk = full()
    assert talk.say(report(b"link-connect", *LINK, session=session(3))) == b""
    said = talk.say(request(b"helo", b"x", session=session(3)))
    assert said == result(REFUSED, session=session(3))
    said = talk.say(request(b"helo", b"x", session=session(2)))
    assert said == result(b"proceed", session=session(2))
    assert talk.protocol.session_count == 2
    assert talk.logged == ["session-refused count=1 limit=2"]


@pytest.mark.usefixtures("two")
def test_its_message_is_dropped_though_there_is_room_meanwhile() -> None:
    """What is left of a message whose first lines were dropped must not pass."""
    talk = full()
    third = session(3)
    assert talk.say(data(b"Subject: x", b"", session=third)) == b""
    talk.say(report(b"link-disconnect", session=session(1)))
    assert talk.say(data(b"text", b".", session=third)) == datalines(b".", session=third)
    said = talk.say(request(b"commit", session=third))
    assert said == result(REFUSED, session=third)
    talk.say(report(b"link-disconnect", session=third))
    assert talk.left() == (1, 0, 0, 0)


@pytest.mark.usefixtures("two")
def test_its_end_is_the_end_of_the_refusal() -> None:
    talk = full()
    third = session(3)
    talk.say(report(b"link-connect", *LINK, session=third))
    talk.say(*(report(b"link-disconnect", session=session(n)) for n in (1, 3)))
    said = talk.say(request(b"helo", b"x", session=third))
    assert said == result(b"proceed", session=third)


@pytest.mark.usefixtures("two")
def test_the_end_of_a_stranger_is_not_kept() -> None:
    """Of a session that was never seen, nothing would ever take it away again."""
    away = turned_away.TurnedAway(lambda *_, **__: None)
    talk = full()
    talk.protocol._turned_away = away
    talk.say(report(b"link-disconnect", session=session(9)))
    assert len(away) == 0
    talk.say(report(b"link-connect", *LINK, session=session(4)))
    assert len(away) == 1


def test_the_bound_itself() -> None:
    talk = Talk(Plain())
    talk.say(
        *(report(b"link-connect", *LINK, session=session(n)) for n in range(bounds.SESSIONS_MAX))
    )
    assert talk.protocol.session_count == 10_000
    for more in (10_000, 10_001):
        said = talk.say(request(b"ehlo", b"x", session=session(more)), now=0.5)
        assert said == result(REFUSED, session=session(more))
    assert talk.logged == ["session-refused count=1 limit=10000"]


class Waiting(Filter):
    """Leaves a job for each HELO."""

    def on_helo(self, session: Session, helo: Helo) -> Offload[Decision]:
        return Offload(lambda: PROCEED)


def test_answers_that_wait_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensmtpd._protocol.dispatch.PENDING_MAX", 2)
    talk = Talk(Waiting())
    assert talk.say(*(request(b"helo", b"x", session=session(n)) for n in (1, 2))) == b""
    said = talk.say(*(request(b"helo", b"x", session=session(n)) for n in (3, 4)))
    refused = b"reject|451 4.3.0 Temporary failure, please try again later"
    assert said == result(refused, session=session(3)) + result(refused, session=session(4))
    assert talk.logged == ["answers-refused count=1 limit=2"]
    for job in talk.protocol.dispatcher.take_jobs():
        talk.finish(job)
    assert talk.say(request(b"helo", b"x", session=session(3))) == b""
