"""A message that is edited: what goes out, byte for byte, and what is refused."""

import errno
import os
import re
from collections.abc import Callable, Sequence
from types import CoroutineType
from typing import Any

import pytest

from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd._protocol.filter.edited import HEADER_MAX, HEADER_TOO_LARGE
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.errors import DecisionError, Refused
from opensmtpd.filter import EditedMessage
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
from unit.support.lone_message import LONGEST, message, sent
from unit.support.talk import TEMPFAIL, Talk, data, datalines, report, result

Act = Callable[[EditedMessage], object]


class Does(EditedMessage):
    """Makes its edits the way it is told to."""

    def __init__(self, edit: Act, way: str = "plain") -> None:
        self.edit, self.way = edit, way
        self.seen: list[tuple[str, list[bytes]]] = []

    def header(self, lines: list[bytes]) -> None:
        self.seen.append(("header", lines))

    def body(self, lines: list[bytes]) -> None:
        self.seen.append(("body", lines))

    def end(self) -> Any:
        def act() -> None:
            self.edit(self)

        return WAYS[self.way](act)


def edited(
    edit: Act, lines: Sequence[bytes], run: int = 1000, budget: Budget | None = None
) -> list[bytes]:
    """Return the lines that go out, without the final dot."""
    budget = budget or Budget()
    m = message(Does(edit), budget)
    for at in range(0, len(lines), run):
        m.receive(list(lines[at : at + run]))
    assert not m.wants_to_send()
    m.close_input(m.end())
    out = sent(m)
    assert (out.pop(), len(m), budget.used, budget.reserved) == (b".", 0, 0, 0)
    return out


RUNS = pytest.mark.parametrize("run", [1, 2, 3, 1000])
BUDGETS = pytest.mark.parametrize("memory", [0, 30, 1 << 24], ids=["file", "both", "memory"])

ODD: dict[str, list[bytes]] = {
    "usual": [b"A: 1", b"B: 2", b"\tx", b"", b"text", b"", b"..dot"],
    "no header": [b"", b"text"],
    "no body": [b"A: 1", b""],
    "no blank line": [b"A: 1"],
    "nothing but the blank line": [b""],
    "nothing at all": [],
    "no field": [b"junk", b" more", b"", b"x"],
    "a blank first": [b" x", b"A: 1", b"", b"x"],
    "blanks before the colon": [b"A \t: 1", b"", b"x"],
    "dots": [b"..A: 1", b".B: 2", b". x", b".. y", b"", b".x", b"..", b"... "],
    "blank lines": [b"", b"", b"", b""],
}
EVERY = pytest.mark.parametrize("title", ODD)


def read(handler: EditedMessage) -> None:
    for field in handler.fields:
        assert field.raw.startswith(field.name)
        assert b"\n" not in field.value


@RUNS
@BUDGETS
@EVERY
@pytest.mark.parametrize("edit", [lambda _: None, read], ids=["ignored", "read"])
def test_untouched(edit: Act, title: str, run: int, memory: int) -> None:
    assert edited(edit, ODD[title], run, Budget(memory, memory)) == ODD[title]


@RUNS
@BUDGETS
@pytest.mark.parametrize(
    ("title", "top", "bottom"),
    [
        ("usual", [], [b"A: 1", b"B: 2", b"\tx", b"N: n", b"", b"text", b"", b"..dot"]),
        ("no header", [], [b"N: n", b"", b"text"]),
        ("no body", [], [b"A: 1", b"N: n", b""]),
        ("no blank line", [], [b"A: 1", b"N: n"]),
        ("nothing but the blank line", [], [b"N: n", b""]),
        ("nothing at all", [], [b"N: n"]),
        ("no field", [], [b"junk", b" more", b"N: n", b"", b"x"]),
        (
            "a blank first",
            [b" x", b"N: n", b"A: 1", b"", b"x"],
            [b" x", b"A: 1", b"N: n", b"", b"x"],
        ),
    ],
)
def test_a_field_on_top_and_at_the_bottom(
    title: str, top: list[bytes], bottom: list[bytes], run: int, memory: int
) -> None:
    def budget() -> Budget:
        return Budget(memory, memory)

    top = top or [b"N: n", *ODD[title]]
    assert edited(lambda m: m.prepend(b"N", b"n"), ODD[title], run, budget()) == top
    assert edited(lambda m: m.append(b"N", b"n"), ODD[title], run, budget()) == bottom


@RUNS
@BUDGETS
@pytest.mark.parametrize(
    ("title", "appended", "replaced", "emptied"),
    [
        (
            "usual",
            [*ODD["usual"], b"..new"],
            [b"A: 1", b"B: 2", b"\tx", b"", b"..new"],
            [b"A: 1", b"B: 2", b"\tx", b""],
        ),
        ("no header", [b"", b"text", b"..new"], [b"", b"..new"], [b""]),
        ("no body", [b"A: 1", b"", b"..new"], [b"A: 1", b"", b"..new"], [b"A: 1", b""]),
        ("no blank line", [b"A: 1", b"", b"..new"], [b"A: 1", b"", b"..new"], [b"A: 1"]),
        ("nothing but the blank line", [b"", b"..new"], [b"", b"..new"], [b""]),
        ("nothing at all", [b"", b"..new"], [b"", b"..new"], []),
    ],
)
def test_the_body(
    title: str,
    appended: list[bytes],
    replaced: list[bytes],
    emptied: list[bytes],
    run: int,
    memory: int,
) -> None:
    def budget() -> Budget:
        return Budget(memory, memory)

    lines = ODD[title]
    assert edited(lambda m: m.append_body([b".new"]), lines, run, budget()) == appended
    assert edited(lambda m: m.replace_body([b".new"]), lines, run, budget()) == replaced
    assert edited(lambda m: m.replace_body([]), lines, run, budget()) == emptied
    assert edited(lambda m: m.append_body([]), lines, run, budget()) == lines


@RUNS
def test_dots(run: int) -> None:
    """``. x`` is a line that begins with a blank: it belongs to the field above."""

    def edit(handler: EditedMessage) -> None:
        one, two = handler.fields
        assert (one.name, one.raw) == (b".A", b".A: 1")
        assert (two.name, two.raw) == (b"B", b"B: 2\n x")
        handler.replace(one, b"one")
        handler.remove(two)
        handler.append(b".C", b"3")

    assert edited(edit, ODD["dots"], run) == [
        *(b"..A: one", b".. y", b"..C: 3", b"", b".x", b"..", b"... "),
    ]


def test_nothing_is_parsed_that_nobody_reads() -> None:
    m = message(Does(lambda m: m.append_body([b"x"])))
    m.receive([b"A: 1", b"", b"y"])
    m.close_input(m.end())
    assert m.take(1000).count(b"\n") == 5


@RUNS
def test_runs_are_shown_as_a_held_messages_are(run: int) -> None:
    handler = Does(lambda _: None)
    m = message(handler)
    lines = ODD["usual"]
    for at in range(0, len(lines), run):
        m.receive(lines[at : at + run])
    shown = {"header": list[bytes](), "body": list[bytes]()}
    for part, seen in handler.seen:
        assert seen
        shown[part] += seen
    assert shown == {"header": [b"A: 1", b"B: 2", b"\tx"], "body": [b"text", b"", b".dot"]}


def test_an_object_for_each_message() -> None:
    handler = EditedMessage()
    message(handler)
    with pytest.raises(DecisionError, match="a EditedMessage edits one message: make one for each"):
        message(handler)


def test_the_longest_lines() -> None:
    def edit(handler: EditedMessage) -> None:
        with pytest.raises(DecisionError, match="longer than smtpd takes"):
            handler.prepend(b"A", b"x" * (LONGEST - 2))
        with pytest.raises(DecisionError, match="longer than smtpd takes"):
            handler.append_body([b"." * LONGEST])
        handler.prepend(b"A", b"x" * (LONGEST - 3))
        handler.append_body([b"." * (LONGEST - 1)])

    out = edited(edit, [b"B: 1"])
    assert [len(line) for line in out] == [LONGEST, 4, 0, LONGEST]


# --- failures and refusals ------------------------------------------------------------------------


def botch(handler: EditedMessage) -> None:
    """Make edits of all kinds."""
    for field in handler.fields:
        handler.remove(field)
    handler.prepend(b"X-Half", b"done")
    handler.replace_body([b"half"])


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
    talk = Talk(Messages(lambda: Does(read)), on_failure=policy, budget=Budget(0, 0))
    talk.say(data(*MAIL))
    monkeypatch.setattr(os, "pread", lambda *_: explode(OSError(errno.EIO, "I/O error")))
    assert talk.say(data(b"."), COMMIT) == datalines(b".") + result(TEMPFAIL)
    assert "handler=end error=SpoolError" in talk.logged[0]
