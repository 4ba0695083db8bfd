"""Messages that cannot be handled: refused or passed on, as the policy says."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.answer import Offload
from opensmtpd.errors import HandlerTimeout
from opensmtpd.filter import JUNK, PROCEED, Filter, HeldMessage, Session, StreamedMessage
from unit.support.handlers import (
    COMMIT,
    KINDS,
    MAIL,
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
    later,
)
from unit.support.talk import TEMPFAIL, Talk, data, datalines, report, request, result

ERRORS = [ValueError("x"), SystemExit(0), KeyboardInterrupt(), GeneratorExit()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@POLICIES
@PLACES
@KINDS
def test_whatever_is_raised(kind: Kind, place: str, policy: Policy, error: BaseException) -> None:
    talk = Talk(awry(kind, place, lambda: explode(error)), on_failure=policy)
    out = talk.say(data(*MAIL, b"."))
    if policy == "pass":
        assert out == datalines(*MAIL, b".")
        assert talk.say(COMMIT) == result(b"proceed")
    else:
        assert out == datalines(b".")
        assert talk.say(COMMIT) == result(TEMPFAIL)
    [line] = talk.logged
    handler = {"header": "message", "body": "message"}.get(place, place)
    kind_of_error = type(error).__name__
    assert line.startswith(
        f"1718c5e591926d28 handler-failed handler={handler} error={kind_of_error} at=handlers.py:"
    )
    assert talk.left() == (1, 0, 0, 0)


@POLICIES
@pytest.mark.parametrize("nonsense", [0, b"x", [b"x"], PROCEED, JUNK, HeldMessage, Offload(list)])
def test_what_is_no_message_handler(nonsense: Any, policy: Policy) -> None:
    talk = Talk(Messages(lambda: nonsense), on_failure=policy)
    out = talk.say(data(*MAIL, b"."), COMMIT)
    if policy == "pass":
        assert out == datalines(*MAIL, b".") + result(b"proceed")
    else:
        assert out == datalines(b".") + result(TEMPFAIL)
    assert "handler=on_message error=DecisionError" in talk.logged[0]


def test_on_message_is_no_coroutine() -> None:
    coroutine = later(HeldMessage)
    talk = Talk(Messages(lambda: coroutine))
    assert talk.say(data(*MAIL, b"."), COMMIT) == datalines(b".") + result(TEMPFAIL)
    assert talk.protocol.dispatcher.take_jobs() == []
    coroutine.close()


@POLICIES
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "front", [None, b"X: y", PROCEED, [b"a\nb"], [b"a\0"], ["X: y"], [None], [b"x" * 65486]]
)
def test_what_is_no_list_of_header_lines(front: Any, way: str, policy: Policy) -> None:
    talk = Talk(Messages(lambda: At("end", lambda: WAYS[way](lambda: front))), on_failure=policy)
    out = talk.say(data(*MAIL, b".")) + finish(talk) + talk.say(COMMIT)
    if policy == "pass":
        assert out == datalines(*MAIL, b".") + result(b"proceed")
    else:
        assert out == datalines(b".") + result(TEMPFAIL)
    assert "handler=end error=" in talk.logged[0]


@pytest.mark.parametrize("lines", [None, b"xyz", [1], ["x"], [b"\n"], [b"a\0b"], [None]])
@pytest.mark.parametrize("place", ["header", "body"])
def test_what_is_no_list_of_lines(place: str, lines: Any) -> None:
    talk = Talk(Messages(lambda: StreamAt(place, lambda: lines)), on_failure="pass")
    assert talk.say(data(*MAIL, b"."), COMMIT) == datalines(*MAIL, b".") + result(b"proceed")
    assert len(talk.logged) == 1


@POLICIES
@pytest.mark.parametrize("place", ["header", "body"])
def test_a_held_message_answers_nothing_before_its_end(place: str, policy: Policy) -> None:
    """An ``async def body``, say, would see nothing of the message."""
    coroutine = later(list)

    class Wrong(HeldMessage):
        pass

    setattr(Wrong, place, lambda *_: coroutine)
    talk = Talk(Messages(Wrong), on_failure=policy)
    out = talk.say(data(*MAIL, b"."), COMMIT)
    if policy == "pass":
        assert out == datalines(*MAIL, b".") + result(b"proceed")
    else:
        assert out == datalines(b".") + result(TEMPFAIL)
    assert "handler=message error=DecisionError" in talk.logged[0]
    coroutine.close()


def test_a_streamed_message_that_fails_later_goes_on_untouched() -> None:
    calls = list[str]()

    class Tired(StreamedMessage):
        def body(self, lines: list[bytes]) -> list[bytes]:
            calls.append("body")
            if len(calls) > 1:
                raise ValueError("tired")
            return [b"changed"]

    talk = Talk(Messages(Tired), on_failure="pass")
    out = b"".join(talk.say(data(line)) for line in (b"", b"one", b"two", b"three", b"."))
    assert out == datalines(b"", b"changed", b"two", b"three", b".")
    assert calls == ["body", "body"]


@POLICIES
@pytest.mark.parametrize("way", ["offload", "async"])
def test_an_end_that_is_late(way: str, policy: Policy) -> None:
    talk = Talk(Messages(lambda: Sign(WAYS[way])), on_failure=policy, deadline=10.0)
    assert talk.say(data(*MAIL, b"."), now=5.0) == b""
    job = talk.job()
    talk.protocol.dispatcher.expire(15.0)
    if policy == "pass":
        assert talk.drain() == datalines(*MAIL, b".")
        assert talk.say(COMMIT) == result(b"proceed")
    else:
        assert talk.drain() == datalines(b".")
        assert talk.say(COMMIT) == result(TEMPFAIL)
    assert talk.finish(job) == b""
    assert len(talk.logged) == 1
    assert talk.left() == (1, 0, 0, 0)


@POLICIES
@pytest.mark.parametrize("place", ["header", "body"])
@KINDS
def test_a_handler_that_was_interrupted_refuses_whatever_the_policy(
    kind: Kind, place: str, policy: Policy
) -> None:
    """The watchdog may have struck amid a write to the spool."""
    talk = Talk(awry(kind, place, lambda: explode(HandlerTimeout("blocked"))), on_failure=policy)
    assert talk.say(data(*MAIL, b"."), COMMIT) == datalines(b".") + result(TEMPFAIL)


# --- no room --------------------------------------------------------------------------------------


def full_disk(*_: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@POLICIES
@pytest.mark.parametrize("make", [lambda: None, Sign, StreamedMessage])
@pytest.mark.parametrize("room", [0, 30])
def test_a_full_disk_refuses_the_message_whatever_the_policy(
    make: Any, room: int, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", full_disk)
    talk = Talk(Messages(make), on_failure=policy, budget=Budget(room, room))
    talk.protocol.receive(data(*MAIL), 0.0)
    talk.protocol.receive(data(*MAIL, b"."), 0.0)
    assert talk.drain() == datalines(b".")
    assert talk.say(COMMIT) == result(TEMPFAIL)
    [line] = talk.logged
    assert "handler=message error=SpoolError" in line
    assert line.endswith('reason="cannot spool the message: No space left on device"')
    assert talk.left() == (1, 0, 0, 0)
    monkeypatch.undo()
    assert talk.say(report(b"tx-reset", b"1"), data(*MAIL, b".")).endswith(datalines(*MAIL, b"."))


@POLICIES
def test_a_disk_that_does_not_give_back_refuses_the_message(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(Messages(lambda: None), on_failure=policy, budget=Budget(0, 0))
    talk.protocol.receive(data(*MAIL), 0.0)
    monkeypatch.setattr(os, "pread", full_disk)
    assert talk.drain() == b""
    assert talk.say(data(*MAIL, b".")) == datalines(b".")
    assert talk.say(COMMIT) == result(TEMPFAIL)
    assert "handler=spool error=SpoolError" in talk.logged[0]
    assert talk.left() == (1, 0, 0, 0)


@POLICIES
@pytest.mark.parametrize("make", [lambda: None, Sign, StreamedMessage])
@pytest.mark.parametrize("long", [(b"x" * 65486,), (b"x" * 65534,), (b"a", b"x" * 65534, b"b")])
def test_a_line_too_long_to_go_back_refuses_the_message(
    make: Any, long: tuple[bytes, ...], policy: Policy
) -> None:
    talk = Talk(Messages(make), on_failure=policy)
    talk.protocol.receive(data(*MAIL, *long, *MAIL, b"."), 0.0)
    assert talk.drain() == datalines(b".")
    assert talk.say(COMMIT) == result(
        b"reject|550 5.6.0 Message refused: a line is longer than 65485 bytes"
    )
    assert talk.logged == []


def test_the_longest_line_passes() -> None:
    lines = (b"A: 1", b"", b"x" * 65485, b"." + b"." * 65484)
    talk = Talk(Messages(Sign))
    assert talk.say(data(*lines, b"."), COMMIT) == datalines(b"X-Lines: 3", *lines, b".") + result(
        b"proceed"
    )


# --- the author's method is named where no line of it failed --------------------------------------


class Forgets(Filter):
    """Its handlers return what they are told to."""

    def __init__(self, result: object) -> None:
        self.result: Any = result

    def on_mail_from(self, session: Session, request: Any) -> Any:
        return self.result

    async def on_rcpt_to(self, session: Session, request: Any) -> Any:
        return self.result

    def on_message(self, session: Session) -> Any:
        return self.result


def at(method: Callable[..., object]) -> str:
    return f"at={Path(__file__).name}:{method.__code__.co_firstlineno}"


def test_a_forgotten_return_of_a_handler() -> None:
    talk = Talk(Forgets(None))
    talk.say(request(b"mail-from", b"bob@example.org"), request(b"rcpt-to", b"al@example.org"))
    finish(talk)
    for line, method in zip(talk.logged, (Forgets.on_mail_from, Forgets.on_rcpt_to), strict=True):
        name = method.__name__
        assert line == (
            f"1718c5e591926d28 handler-failed handler={name} error=DecisionError {at(method)}"
            f' reason="{name} returned None: return PROCEED or another decision"'
        )


def test_no_message_handler() -> None:
    talk = Talk(Forgets(HeldMessage))
    talk.say(data(*MAIL, b"."))
    assert talk.logged == [
        "1718c5e591926d28 handler-failed handler=on_message error=DecisionError"
        f" {at(Forgets.on_message)}"
        ' reason="on_message returned the class HeldMessage: return a message handler or None"'
    ]


@pytest.mark.parametrize(
    ("kind", "place", "value", "reason"),
    [
        (StreamAt, "header", None, "header returned None: return a list of lines"),
        (StreamAt, "body", None, "body returned None: return a list of lines"),
        (StreamAt, "header", ["X-A: 1"], "lines are bytes, not str"),
        (StreamAt, "body", ["X-A: 1"], "lines are bytes, not str"),
        (StreamAt, "end", ["X-A: 1"], "lines are bytes, not str"),
        (At, "end", ["X-A: 1"], "lines are bytes, not str"),
        (At, "end", b"X-A: 1", "end returned a bytes: return a list of lines"),
    ],
)
def test_no_lines_of_a_message(kind: Kind, place: str, value: Any, reason: str) -> None:
    talk = Talk(awry(kind, place, lambda: value))
    talk.say(data(*MAIL, b"."))
    name = "end" if place == "end" else "message"
    method = getattr(kind, place)
    file = Path(method.__code__.co_filename).name
    assert talk.logged == [
        f"1718c5e591926d28 handler-failed handler={name} error=DecisionError"
        f' at={file}:{method.__code__.co_firstlineno} reason="{reason}"'
    ]
