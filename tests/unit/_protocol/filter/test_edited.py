"""A message that is edited: what goes out, byte for byte, and what is refused."""

from collections.abc import Sequence

import pytest

from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.errors import DecisionError
from opensmtpd.filter import EditedMessage
from unit.support.edits import Act, Does
from unit.support.lone_message import LONGEST, message, sent


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
    assert edited(lambda m: m.replace_body(b".new\n"), lines, run, budget()) == replaced
    assert edited(lambda m: m.replace_body(b""), lines, run, budget()) == emptied
    assert edited(both, lines, run, budget()) == [*replaced, b"more"]
    assert edited(lambda m: m.append_body([]), lines, run, budget()) == lines


def both(handler: EditedMessage) -> None:
    handler.replace_body(b".new")
    handler.append_body([b"more"])


def test_a_body_of_many_lines_is_spooled_in_blocks() -> None:
    body = b"".join([b"%d\n.\n" % number for number in range(20_000)]) + b"x" * 60_000 + b"\n"
    budget = Budget()
    m = message(Does(lambda m: m.replace_body(body)), budget)
    m.receive([b"A: 1", b"", b"old"])
    m.close_input(m.end())
    assert budget.used == len(body) + 20_000 + len(b"A: 1\n\n") - len(b"A: 1\n")
    blocks = []
    while m.wants_to_send():
        blocks.append(m.take(1))
    assert max(map(len, blocks)) < 64 * 1024 * 45
    lines = [line[50:] for line in b"".join(blocks).split(b"\n")[:-1]]
    assert lines[:4] == [b"A: 1", b"", b"0", b".."]
    assert lines[-3:] == [b"..", b"x" * 60_000, b"."]
    assert len(lines) == 40_004


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
