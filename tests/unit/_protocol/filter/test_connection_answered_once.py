"""Every request is answered exactly once, whatever its handler does."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd.answer import Offload
from opensmtpd.errors import HandlerTimeout, LocalError, Refused
from opensmtpd.filter import JUNK, PROCEED, Filter, HeldMessage, Reject, Rewrite
from unit.support.handlers import BOTH, CONNECT, DISCONNECT, OTHER, WAYS, Answers, explode, finish
from unit.support.talk import TEMPFAIL, Talk, request, result

EACH_PHASE = pytest.mark.parametrize(
    ("phase", "fields"),
    [
        (b"connect", b"localhost|127.0.0.1"),
        (b"helo", b"c1"),
        (b"ehlo", b"c1"),
        (b"starttls", b""),
        (b"auth", b"PLAIN AGEAYg=="),
        (b"mail-from", b"a|b@c"),
        (b"rcpt-to", b"d@e"),
        (b"data", b""),
        (b"commit", b""),
        (b"rset", b""),
        (b"quit", b""),
        (b"noop", b""),
        (b"help", b""),
    ],
)
ERRORS: list[BaseException] = [
    ValueError("x\ny"),
    SystemExit(0),
    KeyboardInterrupt(),
    GeneratorExit(),
    RecursionError(),
    LocalError("x"),
    HandlerTimeout("x"),
]
NONSENSE = [None, True, b"proceed", "proceed", [], Reject, object(), Rewrite(b"x"), HeldMessage()]
AWRY: list[Callable[[], Any]] = [functools.partial(explode, error) for error in ERRORS]
AWRY += [functools.partial(lambda value: value, value) for value in NONSENSE]


@BOTH
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("act", AWRY, ids=lambda act: repr(act.args[0])[:20])
@pytest.mark.parametrize("phase", [b"commit", b"data", b"quit"])
def test_what_goes_wrong_is_the_policys_answer_and_one_line_in_the_log(
    phase: bytes, act: Callable[[], Any], way: str, policy: Policy, failure: bytes
) -> None:
    talk = Talk(Answers(lambda: WAYS[way](act)), on_failure=policy)
    answer = talk.say(request(phase)) + finish(talk)
    assert answer == result(failure)
    [line] = talk.logged
    assert line.startswith(f"1718c5e591926d28 handler-failed handler=on_{phase.decode()} error=")
    assert line.isprintable()


@BOTH
@EACH_PHASE
def test_each_phase_fails_alike(
    phase: bytes, fields: bytes, policy: Policy, failure: bytes
) -> None:
    talk = Talk(Answers(lambda: explode(ValueError())), on_failure=policy)
    assert talk.say(request(phase, fields)) == result(failure)


@BOTH
def test_junk_at_commit(policy: Policy, failure: bytes) -> None:
    talk = Talk(Answers(lambda: JUNK), on_failure=policy)
    assert talk.say(request(b"commit")) == result(failure)
    assert talk.logged[0].endswith('reason="Junk() may not answer commit"')


@BOTH
def test_a_request_that_makes_no_sense_is_answered_too(policy: Policy, failure: bytes) -> None:
    talk = Talk(Answers(lambda: PROCEED), on_failure=policy)
    assert talk.say(request(b"connect", b"localhost")) == result(failure)
    [line] = talk.logged
    assert line.startswith("1718c5e591926d28 handler-failed handler=on_connect error=ProtocolError")
    assert line.endswith(' reason="an event with too few fields"')


@pytest.mark.parametrize("way", WAYS)
def test_refused_answers_any_request(way: str) -> None:
    act = functools.partial(explode, Refused(Reject(550, "5.7.1 No")))
    talk = Talk(Answers(lambda: WAYS[way](act)))
    assert talk.say(CONNECT) + finish(talk) == result(b"reject|550 5.7.1 No")
    assert talk.logged == []


@BOTH
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("decision", [JUNK, PROCEED, Rewrite(b"x"), None, "550 No"])
def test_refused_with_nonsense(decision: Any, way: str, policy: Policy, failure: bytes) -> None:
    def act() -> None:
        raise Refused(decision)

    talk = Talk(Answers(lambda: WAYS[way](act)), on_failure=policy)
    assert talk.say(request(b"commit")) + finish(talk) == result(failure)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")

    __repr__ = __str__


@BOTH
def test_an_exception_that_cannot_be_shown(policy: Policy, failure: bytes) -> None:
    talk = Talk(Answers(lambda: explode(Unprintable())), on_failure=policy)
    assert talk.say(CONNECT) == result(failure)
    assert "error=Unprintable" in talk.logged[0]


def test_a_handler_without_a_name() -> None:
    class Partial(Filter):
        on_connect = functools.partialmethod(lambda self, *_: JUNK)

    assert Talk(Partial()).say(CONNECT) == result(b"junk")


# --- answers that take their time -----------------------------------------------------------------


@pytest.mark.parametrize("way", ["async", "offload"])
class TestLater:
    def talk(self, way: str, policy: Policy = "tempfail") -> Talk:
        return Talk(Answers(lambda: WAYS[way](lambda: JUNK)), on_failure=policy, deadline=10.0)

    def test_nothing_is_answered_before(self, way: str) -> None:
        talk = self.talk(way)
        assert talk.say(CONNECT) == b""
        assert talk.finish(talk.job()) == result(b"junk")
        assert talk.protocol.dispatcher.next_deadline() is None

    @BOTH
    def test_late(self, way: str, policy: Policy, failure: bytes) -> None:
        talk = self.talk(way, policy)
        talk.say(CONNECT, now=5.0)
        job = talk.job()
        assert talk.protocol.dispatcher.next_deadline() == 15.0
        talk.protocol.dispatcher.expire(14.9)
        assert talk.drain() == b""
        talk.protocol.dispatcher.expire(15.0)
        assert talk.drain() == result(failure)
        assert job.cancelled
        assert talk.logged == [
            "1718c5e591926d28 handler-failed handler=on_connect error=HandlerTimeout"
            ' reason="no answer within 10 s"'
        ]

    def test_resolved_after_it_was_late(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(CONNECT)
        job = talk.job()
        talk.protocol.dispatcher.expire(10.0)
        assert talk.drain() == result(TEMPFAIL)
        assert talk.finish(job) == b""
        talk.protocol.dispatcher.fail(job, ValueError())
        talk.protocol.dispatcher.expire(99.0)
        assert talk.drain() == b""
        assert len(talk.logged) == 1

    def test_resolved_twice(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(CONNECT)
        job = talk.job()
        talk.protocol.dispatcher.resolve(job, PROCEED)
        talk.protocol.dispatcher.resolve(job, JUNK)
        talk.protocol.dispatcher.fail(job, ValueError())
        talk.protocol.dispatcher.expire(99.0)
        assert talk.drain() == result(b"proceed")
        assert talk.finish(job) == b""
        assert talk.logged == []

    def test_resolved_after_the_session_is_gone(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(CONNECT)
        job = talk.job()
        assert talk.say(DISCONNECT) == b""
        assert job.cancelled
        assert talk.protocol.dispatcher.next_deadline() is None
        talk.protocol.dispatcher.resolve(job, PROCEED)
        talk.protocol.dispatcher.expire(99.0)
        assert talk.drain() == b""
        assert talk.logged == []
        assert talk.left() == (0, 0, 0, 0)

    def test_a_session_gone_before_the_work_was_taken(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(CONNECT, DISCONNECT)
        assert talk.protocol.dispatcher.take_jobs() == []

    def test_sessions_do_not_wait_for_each_other(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(CONNECT, request(b"data", session=OTHER))
        first, second = talk.protocol.dispatcher.take_jobs()
        assert talk.finish(second) == result(b"junk", session=OTHER)
        assert talk.finish(first) == result(b"junk")


def test_an_offload_of_no_function_leaves_no_trap() -> None:
    not_work: Any = PROCEED  # the function was called, not passed
    talk = Talk(Answers(lambda: Offload(not_work)))
    assert talk.say(CONNECT, DISCONNECT) == result(TEMPFAIL)
