"""Edited messages that fail or are refused: no edit is left, no limit is passed."""

import errno
import os
import re
from contextlib import suppress
from functools import partial
from types import CoroutineType
from typing import Any

import pytest

from opensmtpd._protocol.filter import edited
from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd._protocol.filter.edited import HEADER_MAX, HEADER_TOO_LARGE
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.answer import Deferred
from opensmtpd.errors import HandlerTimeout, Refused
from opensmtpd.filter import EditedMessage
from unit.support.edits import Act, Does, botch
from unit.support.handlers import (
    COMMIT,
    MAIL,
    NO,
    NO_LINE,
    POLICIES,
    WAYS,
    Messages,
    explode,
    finish,
)
from unit.support.lone_message import message, sent
from unit.support.talk import TEMPFAIL, Talk, data, datalines, report, result

# --- failures and refusals ------------------------------------------------------------------------


def half(error: BaseException) -> Act:
    def act(handler: EditedMessage) -> None:
        botch(handler)
        raise error

    return act


def bad_value(handler: EditedMessage) -> None:
    botch(handler)
    handler.append(b"X", b"a\nb")


@POLICIES
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("memory", [0, 1 << 24])
@pytest.mark.parametrize("act", [half(ValueError("x")), half(SystemExit(1)), bad_value])
def test_no_edit_is_left_of_a_handler_that_fails(
    act: Act, memory: int, way: str, policy: Policy
) -> None:
    budget = Budget(memory, memory)
    talk = Talk(Messages(lambda: Does(act, way)), on_failure=policy, budget=budget)
    out = talk.say(data(*MAIL, b".")) + finish(talk) + talk.say(COMMIT)
    if policy == "pass":
        assert out == datalines(*MAIL, b".") + result(b"proceed")
    else:
        assert out == datalines(b".") + result(TEMPFAIL)
    assert "handler=end" in talk.logged[0]
    assert (*talk.left(), budget.reserved) == (1, 0, 0, 0, 0)


@POLICIES
@pytest.mark.parametrize("way", ["offload", "async"])
def test_no_edit_is_left_of_a_handler_that_is_late(way: str, policy: Policy) -> None:
    talk = Talk(Messages(lambda: Does(botch, way)), on_failure=policy, deadline=10.0)
    assert talk.say(data(*MAIL, b".")) == b""
    job = talk.job()
    talk.protocol.dispatcher.expire(15.0)
    lines = MAIL if policy == "pass" else ()
    assert talk.drain() == datalines(*lines, b".")
    assert talk.finish(job) == b""
    assert talk.say(COMMIT) == result(b"proceed" if policy == "pass" else TEMPFAIL)
    assert talk.left() == (1, 0, 0, 0)


@POLICIES
@pytest.mark.parametrize("way", WAYS)
def test_a_refusal(way: str, policy: Policy) -> None:
    talk = Talk(Messages(lambda: Does(half(Refused(NO)), way)), on_failure=policy)
    assert talk.say(data(*MAIL, b".")) + finish(talk) == datalines(b".")
    assert talk.say(COMMIT) == result(NO_LINE)
    assert talk.logged == []


def test_a_message_that_another_place_of_the_chain_refused() -> None:
    refuse: Act = lambda _: explode(Refused(NO))  # noqa: E731
    acts = iter([botch, refuse])
    talk = Talk(Messages(lambda: Does(next(acts))))
    other = b"1f083015d732b8de"
    assert talk.say(data(*MAIL)) == b""
    assert talk.say(data(*MAIL, b".", token=other)) == datalines(b".", token=other)
    assert talk.say(data(b".")) == datalines(*MAIL, b".")
    assert talk.say(COMMIT) == result(NO_LINE)


@POLICIES
@pytest.mark.parametrize("answer", [[], (), [b"X: y"], 0, False, b""])
def test_an_end_that_returns_something(answer: Any, policy: Policy) -> None:
    class Wrong(EditedMessage):
        def end(self) -> Any:
            botch(self)
            return answer

    talk = Talk(Messages(Wrong), on_failure=policy)
    lines = MAIL if policy == "pass" else ()
    assert talk.say(data(*MAIL, b".")) == datalines(*lines, b".")
    assert "error=DecisionError" in talk.logged[0]


def test_a_session_that_ends_amid_a_job() -> None:
    budget = Budget()
    talk = Talk(Messages(lambda: Does(botch, "async")), budget=budget)
    assert talk.say(data(*MAIL, b".")) == b""
    assert budget.reserved > 0
    job = talk.job()
    talk.say(report(b"link-disconnect"))
    assert (budget.used, budget.reserved) == (0, 0)
    assert isinstance(job.task, CoroutineType)
    job.task.close()


# --- limits ---------------------------------------------------------------------------------------


@POLICIES
@pytest.mark.parametrize("run", [1, 1000, 10_000])
@pytest.mark.parametrize("line", [b"A: " + b"x" * 60_000, b"A:", b"\tx"], ids=len)
def test_a_header_too_large_is_refused(line: bytes, run: int, policy: Policy) -> None:
    count = HEADER_MAX // (2 * (len(line) + 1) + 512)
    handler = Does(lambda _: None)
    talk = Talk(Messages(lambda: handler), on_failure=policy, budget=Budget(0, 0))
    lines = [line] * count
    runs = [data(*lines[at : at + run]) for at in range(0, count, run)]
    assert b"".join(map(talk.say, runs)) == b""
    assert sum(len(seen) for _, seen in handler.seen) == count
    assert talk.say(data(line), data(line), data(b"", b"body", b".")) == datalines(b".")
    assert talk.say(COMMIT) == result(b"reject|550 5.6.0 Message refused: its header is too large")
    assert talk.logged == []
    assert talk.left() == (1, 0, 0, 0)


def test_the_largest_header() -> None:
    count = HEADER_MAX // (2 * 4 + 512)
    handler = Does(lambda m: m.remove(m.fields[-1]))
    m = message(handler)
    m.receive([*[b"A:0"] * (count - 1), b"B:0"])
    m.receive([b"", *[b"x"] * 100_000])
    m.close_input(m.end())
    out = sent(m)
    assert len(out) == count - 1 + 1 + 100_000 + 1
    assert b"B:0" not in out


def test_the_limit_is_said_in_the_docstring() -> None:
    text = " ".join((EditedMessage.__doc__ or "").split())
    assert HEADER_MAX == 4 << 20
    assert Budget().reservable == 32 << 20
    assert re.search(
        "twice its bytes of memory, and 512 for each of .* more than 4 MiB is refused with 550",
        text,
    )
    assert "32 MiB, and messages beyond that are refused with 451" in text
    assert HEADER_TOO_LARGE.code == 550


@POLICIES
def test_headers_beyond_the_memory_for_all_are_refused(policy: Policy) -> None:
    budget = Budget(reservable=1200)
    talk = Talk(
        Messages(lambda: Does(lambda m: m.prepend(b"N", b"n"), "async")),
        on_failure=policy,
        budget=budget,
    )
    assert talk.say(data(*MAIL, b".")) == b""
    assert budget.reserved == 2 * len(b"From: a@b\nSubject: |\n") + 2 * 512
    other = b"1718c5e887ba5b41"
    assert talk.say(data(*MAIL, b".", session=other)) == datalines(b".", session=other)
    assert 'reason="no memory left to edit the message"' in talk.logged[0]
    assert talk.say(COMMIT.replace(b"1718c5e591926d28", other)) == result(TEMPFAIL, session=other)
    assert finish(talk) == datalines(b"N: n", *MAIL, b".")
    assert budget.reserved == 0


@POLICIES
@pytest.mark.parametrize("memory", [0, 60])
def test_no_room_for_what_is_appended(
    memory: int, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit: Act = lambda m: m.append_body([b"x" * 1000])  # noqa: E731
    talk = Talk(Messages(lambda: Does(edit)), on_failure=policy, budget=Budget(memory, memory))
    talk.say(data(*MAIL))
    monkeypatch.setattr(os, "pwrite", lambda *_: explode(OSError(errno.ENOSPC, "full")))
    assert talk.say(data(b"."), COMMIT) == datalines(b".") + result(TEMPFAIL)
    assert "error=SpoolError" in talk.logged[0]


@POLICIES
def test_a_header_that_the_disk_does_not_give_back(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(Messages(lambda: Does(botch)), on_failure=policy, budget=Budget(0, 0))
    talk.say(data(*MAIL))
    monkeypatch.setattr(os, "pread", lambda *_: explode(OSError(errno.EIO, "I/O error")))
    assert talk.say(data(b"."), COMMIT) == datalines(b".") + result(TEMPFAIL)
    assert "handler=end error=SpoolError" in talk.logged[0]


@POLICIES
def test_a_watchdog_that_strikes_while_the_header_is_read(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(Messages(lambda: Does(botch)), on_failure=policy)
    talk.say(data(*MAIL))
    monkeypatch.setattr(edited, "Edits", lambda *_: explode(HandlerTimeout("end blocked")))
    assert talk.say(data(b"."), COMMIT) == datalines(b".") + result(TEMPFAIL)
    assert "handler=end error=SpoolError" in talk.logged[0]


# --- a message that waits -------------------------------------------------------------------------


class Waits(EditedMessage):
    """Marks its message when ``ready`` has come."""

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()

    def end(self) -> Deferred[None]:
        return self.ready.then(lambda _: self.mark())

    def mark(self) -> None:
        self.prepend(b"X", b"%d" % len(self.fields))

    def itself(self) -> "Waits":
        return self


def test_a_message_that_only_waits_takes_no_memory_for_its_header() -> None:
    handlers: list[Waits] = []

    def make() -> Waits:
        handlers.append(Waits())
        return handlers[-1]

    budget = Budget(reservable=2 * len(b"From: a@b\nSubject: |\n") + 2 * 512)
    talk = Talk(Messages(make), budget=budget)
    tokens = [b"%016x" % number for number in range(1, 6)]
    for token in tokens:
        assert talk.say(data(*MAIL, b".", token=token)) == b""
    assert budget.reserved == 0
    for token, handler in zip(tokens, handlers, strict=True):
        handler.ready.settle(None)
        assert talk.drain() == datalines(b"X: 2", *MAIL, b".", token=token)
    assert (talk.logged, budget.reserved, budget.used) == ([], 0, 0)


def test_headers_that_are_edited_take_their_bytes_only_until_they_are_sent() -> None:
    handlers: list[Waits] = []

    def make() -> Waits:
        handlers.append(Waits())
        return handlers[-1]

    budget = Budget(reservable=2 * len(b"From: a@b\nSubject: |\n") + 2 * 512 + 100)
    talk = Talk(Messages(make), budget=budget)
    tokens = [b"%016x" % number for number in range(1, 4)]
    for token in tokens:
        assert talk.say(data(*MAIL, b".", token=token)) == b""
    for number, handler in enumerate(handlers, 1):
        handler.ready.settle(None)
        assert budget.reserved == number * len(b"X: 2\nFrom: a@b\nSubject: |\n")
    out = talk.drain()
    assert out == b"".join(datalines(b"X: 2", *MAIL, b".", token=token) for token in tokens)
    assert (talk.logged, budget.reserved) == ([], 0)


@POLICIES
def test_a_header_that_is_lost_when_the_wait_is_over(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Suppresses(Waits):
        def mark(self) -> None:
            with suppress(Exception):
                super().mark()

    handler = Suppresses()
    talk = Talk(Messages(lambda: handler), on_failure=policy, budget=Budget(0, 0))
    talk.say(data(*MAIL, b"."))
    monkeypatch.setattr(os, "pread", lambda *_: explode(OSError(errno.EIO, "I/O error")))
    handler.ready.settle(None)
    assert talk.drain() + talk.say(COMMIT) == datalines(b".") + result(TEMPFAIL)
    assert "error=SpoolError" in talk.logged[0]


def test_a_wait_that_fails_leaves_the_message_as_it_came() -> None:
    for read in (True, False):
        handler = Waits()
        talk = Talk(Messages(partial(Waits.itself, handler)), on_failure="pass")
        talk.say(data(*MAIL, b"."))
        if read:
            assert len(handler.fields) == 2
        handler.ready.fail(ValueError("x"))
        assert talk.drain() == datalines(*MAIL, b".")
