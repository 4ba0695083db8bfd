"""Messages through a filter: what goes back to smtpd, and what a lost client leaves."""

from typing import Any

import pytest

from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.errors import Refused
from opensmtpd.filter import Session
from unit.support.handlers import (
    COMMIT,
    CUTS,
    MAIL,
    NO,
    NO_LINE,
    OTHER,
    WAYS,
    At,
    Messages,
    Shout,
    Sign,
    awry,
    explode,
    finish,
)
from unit.support.talk import M, S, T, Talk, data, datalines, report, request, result

SECOND = b"1f083015d732b8de"
"""The data-line token of the second filter of a chain."""


# --- what passes ----------------------------------------------------------------------------------


@CUTS
def test_untouched(size: int) -> None:
    talk = Talk(Messages(lambda: None))
    assert talk.say(data(*MAIL, b"."), size=size) == datalines(*MAIL, b".")
    assert talk.say(COMMIT) == result(b"proceed")
    assert talk.left() == (1, 0, 0, 0)


@CUTS
@pytest.mark.parametrize("way", WAYS)
def test_held(way: str, size: int) -> None:
    talk = Talk(Messages(lambda: Sign(WAYS[way])))
    assert talk.say(data(*MAIL), size=size) == b""
    out = talk.say(data(b"."), size=size) + finish(talk)
    assert out == datalines(b"X-Lines: 4", *MAIL, b".")
    assert talk.say(COMMIT) == result(b"proceed")
    assert talk.left() == (1, 0, 0, 0)


@CUTS
def test_streamed(size: int) -> None:
    talk = Talk(Messages(Shout))
    out = talk.say(data(*MAIL), size=size)
    assert out == datalines(b"From: a@b", b"Subject: |", b"", b"..DOT", b"TEXT \xff")
    assert talk.say(data(b"."), size=size) == datalines(b"..", b".")


def test_an_empty_message() -> None:
    assert Talk(Messages(lambda: None)).say(data(b".")) == datalines(b".")
    assert Talk(Messages(Sign)).say(data(b".")) == datalines(b"X-Lines: 0", b".")


def test_many_transactions_in_a_session_with_one_token() -> None:
    talk = Talk(Messages(Sign))
    for _ in range(3):
        assert talk.say(data(*MAIL, b".")) == datalines(b"X-Lines: 4", *MAIL, b".")
        assert talk.say(COMMIT, report(b"tx-reset", b"018a64ac")) == result(b"proceed")
        assert talk.left() == (1, 0, 0, 0)
    assert talk.say(report(b"link-disconnect")) == b""
    assert talk.left() == (0, 0, 0, 0)


@CUTS
def test_sessions_and_tokens_interleaved(size: int) -> None:
    talk = Talk(Messages(Sign))
    keys: list[dict[str, bytes]] = [
        {"session": S, "token": M},
        {"session": OTHER, "token": M},
        {"session": S, "token": SECOND},
    ]
    lines = [data(line, **key) for line in (*MAIL, b".") for key in keys]
    out = talk.say(*lines, size=size)
    assert sorted(out.splitlines()) == sorted(
        b"".join(datalines(b"X-Lines: 4", *MAIL, b".", **key) for key in keys).splitlines()
    )
    for key in keys:  # each in its own order
        head = b"filter-dataline|%s|%s|" % (key["session"], key["token"])
        mine = [line for line in out.splitlines(keepends=True) if line.startswith(head)]
        assert b"".join(mine) == datalines(b"X-Lines: 4", *MAIL, b".", **key)


def test_a_message_amid_everything_else() -> None:
    talk = Talk(Messages(Sign))
    assert talk.say(
        data(*MAIL[:2]),
        report(b"tx-data", b"018a64ac", b"ok"),
        request(b"noop", session=OTHER),
        b"config|colour|blue\n",
        data(*MAIL[2:], b"."),
        request(b"noop", session=OTHER),
    ) == result(b"proceed", session=OTHER) * 2 + datalines(b"X-Lines: 4", *MAIL, b".")


@CUTS
def test_a_new_message_needs_no_reset_before_it(size: int) -> None:
    talk = Talk(Messages(Sign))
    for _ in range(2):
        assert talk.say(data(*MAIL, b"."), size=size) == datalines(b"X-Lines: 4", *MAIL, b".")
        assert talk.say(COMMIT, size=size) == result(b"proceed")


def test_an_answer_behind_a_message_that_is_given_up_is_still_given() -> None:
    talk = Talk(Messages(lambda: None))
    talk.protocol.receive(data(*MAIL) + request(b"noop") + report(b"tx-reset", b"018a64ac"), 0.0)
    assert talk.drain().endswith(result(b"proceed"))
    assert talk.left() == (1, 0, 0, 0)


def test_no_answer_overtakes_the_final_dot() -> None:
    talk = Talk(Messages(lambda: None))
    talk.protocol.receive(data(*MAIL, b".") + COMMIT, 0.0)
    assert talk.drain() == datalines(*MAIL, b".") + result(b"proceed")


def test_a_commit_handler_is_asked_where_the_message_passed() -> None:
    class Some(Messages):
        def on_commit(self, session: Session, request: Any) -> Any:
            return NO

    talk = Talk(Some(lambda: None))
    assert talk.say(data(*MAIL, b"."), COMMIT) == datalines(*MAIL, b".") + result(NO_LINE)


def test_data_to_send_is_bounded_and_takes_turns() -> None:
    talk = Talk(Messages(lambda: None))
    lines = [b"x" * 60] * 20_000
    for session in (S, OTHER):
        stream = data(*lines, b".", session=session)
        for at in range(0, len(stream), 256 * 1024):  # as the loop reads
            talk.protocol.receive(stream[at : at + 256 * 1024], 0.0)
    first, second = talk.protocol.data_to_send(), talk.protocol.data_to_send()
    assert max(len(first), len(second)) < 512 * 1024
    assert S in first
    assert OTHER in second
    rest = talk.drain()
    assert len(first + second + rest) == 2 * len(datalines(*lines, b"."))
    assert talk.left() == (2, 0, 0, 0)


def test_a_large_message_goes_to_disk_and_comes_back_whole() -> None:
    budget = Budget(total=10_000, each=10_000)
    talk = Talk(Messages(Sign), budget=budget)
    lines = [b"%d" % at for at in range(20_000)]
    assert talk.say(data(*lines)) == b""
    assert (talk.protocol.held_bytes, budget.used) == (len(b"\n".join(lines)) + 1, 0)
    assert talk.say(data(b".")) == datalines(b"X-Lines: 20000", *lines, b".")
    assert talk.left() == (1, 0, 0, 0)


# --- the fast path --------------------------------------------------------------------------------


@CUTS
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"time": b"9999999999.999999"}, {"time": b"10000000000.000000"}),
        ({"version": b"0.7"}, {"version": b"0.10"}),
        ({"time": b"10000000000.1"}, {"time": b"9999999999.999999"}),
        ({"version": b"0.6"}, {"version": b"0.7"}),
    ],
)
def test_fields_of_another_width(
    before: dict[str, bytes], after: dict[str, bytes], size: int
) -> None:
    talk = Talk(Messages(Sign))
    for _ in range(2):
        out = talk.say(
            data(*MAIL, **before), data(*MAIL, **after), data(b"last", b".", **after), size=size
        )
        assert out == datalines(b"X-Lines: 10", *MAIL, *MAIL, b"last", b".")
        assert talk.say(COMMIT, report(b"tx-reset", b"018a64ac")) == result(b"proceed")
    assert talk.logged == []
    assert talk.left() == (1, 0, 0, 0)


@CUTS
def test_the_final_dot_of_another_width(size: int) -> None:
    talk = Talk(Messages(Sign))
    for time in (b"9999999999.1", b"1.1", b"10000000000.1"):
        assert talk.say(
            data(*MAIL), data(b".", time=time), COMMIT, report(b"tx-reset", b"018a64ac"), size=size
        ) == datalines(b"X-Lines: 4", *MAIL, b".") + result(b"proceed")


@CUTS
def test_messages_with_keys_of_different_width(size: int) -> None:
    talk = Talk(Messages(Sign))
    keys: list[dict[str, bytes]] = [{"session": S}, {"session": b"1234"}, {"token": b"abc"}]
    out = talk.say(*(data(line, **key) for line in (*MAIL, b".") for key in keys), size=size)
    for key in keys:
        answer = datalines(b"X-Lines: 4", *MAIL, b".", **key)
        assert answer in out
        out = out.replace(answer, b"")
    assert out == b""


@CUTS
def test_a_payload_that_looks_like_a_line_of_smtpds(size: int) -> None:
    lines = [data(b"x").rstrip(), b"|smtp-in|data-line|%s|%s|." % (S, M), COMMIT.rstrip()]
    assert Talk(Messages(Sign)).say(data(*lines, b"."), size=size) == datalines(
        b"X-Lines: 3", *lines, b"."
    )


# --- clients that vanish --------------------------------------------------------------------------


def vanish(session: bytes = S) -> bytes:
    """Return what smtpd says of a client that is gone amid its message."""
    return (
        report(b"tx-rollback", b"018a64ac", session=session)
        + report(b"tx-reset", b"018a64ac", session=session)
        + report(b"link-disconnect", session=session)
    )


@CUTS
@pytest.mark.parametrize("memory", [10_000, 0])
@pytest.mark.parametrize("make", [lambda: None, Sign, Shout])
def test_a_client_that_vanishes_leaves_nothing(make: Any, memory: int, size: int) -> None:
    talk = Talk(Messages(make), budget=Budget(memory, memory))
    talk.say(data(*MAIL), vanish(), size=size)
    assert talk.left() == (0, 0, 0, 0)
    talk.protocol.receive(data(*MAIL) + vanish(), 0.0)
    assert talk.protocol.message_count == 0
    talk.drain()
    assert talk.left() == (0, 0, 0, 0)


@pytest.mark.parametrize("way", ["offload", "async"])
def test_a_client_that_vanishes_while_its_message_is_signed(way: str) -> None:
    talk = Talk(Messages(lambda: Sign(WAYS[way])))
    talk.say(data(*MAIL, b"."))
    job = talk.job()
    assert talk.say(vanish()) == b""
    assert job.cancelled
    assert talk.left() == (0, 0, 0, 0)
    assert talk.finish(job) == b""
    assert talk.logged == []


@pytest.mark.parametrize("way", ["offload", "async"])
def test_a_message_that_is_reset_while_it_is_signed(way: str) -> None:
    talk = Talk(Messages(lambda: Sign(WAYS[way])), deadline=10.0)
    talk.say(data(*MAIL, b"."))
    job = talk.job()
    assert talk.say(report(b"tx-reset", b"018a64ac")) == b""
    assert talk.finish(job) == b""
    talk.protocol.dispatcher.expire(99.0)
    assert talk.say(data(b"new", b".")) + finish(talk) == datalines(b"X-Lines: 1", b"new", b".")
    assert talk.left() == (1, 0, 0, 0)


def test_lines_of_others_go_on_when_one_vanishes() -> None:
    talk = Talk(Messages(Sign))
    out = talk.say(
        data(*MAIL), data(*MAIL, session=OTHER), vanish(), data(b"last", b".", session=OTHER)
    )
    assert out == datalines(b"X-Lines: 5", *MAIL, b"last", b".", session=OTHER)
    assert talk.left() == (1, 0, 0, 0)


def test_a_refused_client_that_vanishes_leaves_nothing() -> None:
    talk = Talk(awry(At, "header", lambda: explode(Refused(NO))))
    talk.say(data(*MAIL), vanish())
    assert talk.left() == (0, 0, 0, 0)


def test_a_line_behind_the_final_dot_is_ignored() -> None:
    talk = Talk(Messages(lambda: None))
    assert talk.say(data(b"x", b".")) == datalines(b"x", b".")
    talk.protocol.receive(data(b"y", b".", token=T), 0.0)
    assert talk.drain() == datalines(b"y", b".", token=T)
