"""Messages that a plugin refuses: the final dot, and the reason at commit."""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd.errors import Refusal, Refused
from opensmtpd.filter import Disconnect, Filter, Proceed, Reject, Session
from unit.support.handlers import (
    COMMIT,
    CUTS,
    KINDS,
    MAIL,
    NO,
    NO_LINE,
    OTHER,
    PLACES,
    POLICIES,
    WAYS,
    At,
    Kind,
    Messages,
    Sign,
    StreamAt,
    awry,
    explode,
    finish,
)
from unit.support.talk import TEMPFAIL, S, Talk, data, datalines, report, request, result

SECOND = b"1f083015d732b8de"
"""The data-line token of the second filter of a chain."""


@POLICIES
@PLACES
@KINDS
@CUTS
def test_refused(kind: Kind, place: str, policy: Policy, size: int) -> None:
    talk = Talk(awry(kind, place, lambda: explode(Refused(NO))), on_failure=policy)
    assert talk.say(data(*MAIL, b"."), size=size) == datalines(b".")
    assert talk.say(COMMIT) == result(NO_LINE)
    assert talk.logged == []
    assert talk.left() == (1, 0, 0, 0)


def test_refused_when_some_lines_are_gone_already() -> None:
    talk = Talk(awry(StreamAt, "body", lambda: explode(Refused(NO))))
    assert talk.say(data(*MAIL[:2])) == datalines(*MAIL[:2])
    assert talk.say(data(*MAIL[2:]), data(b"more", b".")) == datalines(b".")
    assert talk.say(COMMIT) == result(NO_LINE)


@pytest.mark.parametrize("way", ["offload", "async"])
def test_refused_at_an_end_that_takes_its_time(way: str) -> None:
    act = lambda: WAYS[way](lambda: explode(Refused(Disconnect(421, "4.7.0 Go"))))  # noqa: E731
    talk = Talk(Messages(lambda: At("end", act)))
    assert talk.say(data(*MAIL, b".")) == b""
    assert finish(talk) == datalines(b".")
    assert talk.say(COMMIT) == result(b"disconnect|421 4.7.0 Go")


def test_a_refusal_is_told_once_and_ends_with_the_transaction() -> None:
    refusals = [NO, None]

    class Some(Filter):
        def on_message(self, session: Session) -> None:
            refusal = refusals.pop(0)
            if refusal:
                raise Refused(refusal)

        def on_commit(self, session: Session, request: Any) -> Any:
            return Reject(450, "4.0.0 asked")

    talk = Talk(Some())
    assert talk.say(data(*MAIL, b".")) == datalines(b".")
    assert talk.say(COMMIT) == result(NO_LINE)
    assert talk.say(report(b"tx-rollback", b"1"), report(b"tx-reset", b"1")) == b""
    assert talk.say(data(*MAIL, b".")) == datalines(*MAIL, b".")
    assert talk.say(COMMIT) == result(b"reject|450 4.0.0 asked")


def test_a_refusal_that_commit_was_never_asked_for_ends_with_the_transaction() -> None:
    refusals = [NO, None]

    class Some(Filter):
        def on_message(self, session: Session) -> None:
            refusal = refusals.pop(0)
            if refusal:
                raise Refused(refusal)

    talk = Talk(Some())
    talk.say(data(*MAIL, b"."), report(b"tx-rollback", b"1"), report(b"tx-reset", b"1"))
    assert talk.say(data(*MAIL, b"."), COMMIT) == datalines(*MAIL, b".") + result(b"proceed")


def test_other_sessions_are_not_refused() -> None:
    class Some(Filter):
        def on_message(self, session: Session) -> None:
            if session.id == S.decode():
                raise Refused(NO)

    talk = Talk(Some())
    assert talk.say(data(*MAIL, b"."), data(*MAIL, b".", session=OTHER)) == datalines(
        b"."
    ) + datalines(*MAIL, b".", session=OTHER)
    assert talk.say(request(b"commit", session=OTHER)) == result(b"proceed", session=OTHER)
    assert talk.say(COMMIT) == result(NO_LINE)


class Chain(Filter):
    """One process that serves two filters of a chain; the first refuses."""

    def __init__(self) -> None:
        self.made: list[Sign] = []

    def on_message(self, session: Session) -> Sign:
        if not self.made:
            self.made.append(Sign())
            raise Refused(NO)
        self.made.append(Sign())
        return self.made[-1]


def test_the_first_filters_refusal_survives_the_second_ones_message() -> None:
    talk = Talk(Chain())
    assert talk.say(data(*MAIL, b".")) == datalines(b".")
    out = talk.say(data(b".", token=SECOND))
    assert out.endswith(datalines(b".", token=SECOND))
    assert talk.say(COMMIT) == result(NO_LINE)


def test_the_second_filter_is_not_shown_the_remains_of_a_refused_message() -> None:
    talk = Talk(Chain())
    talk.say(data(*MAIL, b"."))
    assert talk.say(data(b".", token=SECOND)) == datalines(b".", token=SECOND)


def test_a_filter_that_has_seen_a_part_is_not_asked_when_another_refuses() -> None:
    asked = list[str]()
    handlers = [
        At("body", lambda: explode(Refused(NO))),
        At("end", lambda: asked.append("end")),
    ]
    talk = Talk(Messages(lambda: handlers.pop(0)))
    talk.say(data(b"A: 1"), data(b"B: 2", token=SECOND), data(b"", b"x", b"."))
    assert talk.say(data(b"more", b".", token=SECOND)).endswith(datalines(b".", token=SECOND))
    assert asked == []
    assert talk.say(COMMIT) == result(NO_LINE)


class Unmade(Refused):
    def __init__(self, decision: object = None) -> None:
        if decision is not None:
            self.decision = decision  # type: ignore[assignment]


class Own(Refusal):
    code, text = 550, "5.7.1 No"


class Codeless(Reject):
    def __init__(self) -> None:
        pass


WRONG = [
    Unmade,
    lambda: Unmade("550 No"),
    lambda: Unmade(Own()),
    lambda: Unmade(Codeless()),
    lambda: Refused(Own()),
]


@POLICIES
@KINDS
@pytest.mark.parametrize("make", WRONG, ids=["none", "text", "own", "codeless", "checked"])
def test_a_refusal_that_smtpd_would_not_take_is_a_failure(
    make: Callable[[], Refused], kind: Kind, policy: Policy
) -> None:
    talk = Talk(awry(kind, "end", lambda: explode(make())), on_failure=policy)
    out = talk.say(data(*MAIL, b"."), COMMIT)
    if policy == "pass":
        assert out == datalines(*MAIL, b".") + result(b"proceed")
    else:
        assert out == datalines(b".") + result(TEMPFAIL)
    assert "handler=end error=DecisionError" in talk.logged[0]
    assert len(talk.logged) == 1


@POLICIES
@pytest.mark.parametrize("make", WRONG, ids=["none", "text", "own", "codeless", "checked"])
def test_nor_as_the_answer_to_a_command(make: Callable[[], Refused], policy: Policy) -> None:
    class Wrong(Filter):
        def on_quit(self, session: Session, request: object) -> Proceed:
            raise make()

    talk = Talk(Wrong(), on_failure=policy)
    wanted = b"proceed" if policy == "pass" else TEMPFAIL
    assert talk.say(request(b"quit")) == result(wanted)
    assert "handler=on_quit error=DecisionError at=test_data_lines_refusals.py:" in talk.logged[0]


def test_one_refusal_raised_again_and_again_keeps_nothing_of_where() -> None:
    refused = Refused(NO)
    talk = Talk(awry(StreamAt, "end", lambda: explode(refused)))
    for _ in range(3):
        talk.say(data(*MAIL, b"."), COMMIT, report(b"tx-reset", b"00000000"))
        assert refused.__traceback__ is None
