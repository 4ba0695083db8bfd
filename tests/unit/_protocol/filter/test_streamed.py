"""A streamed message: when its blank line goes out, and what its last lines are."""

import errno
import os
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.filter import StreamedMessage
from unit.support.handlers import Messages, explode
from unit.support.lone_message import message, sent
from unit.support.talk import Talk, data, datalines

Edit = Callable[[bytes], list[bytes]]


def keep(line: bytes) -> list[bytes]:
    return [line]


def drop(line: bytes) -> list[bytes]:
    return []


class PerLine(StreamedMessage):
    """Edits each line by itself, so that the cuts between runs make no difference."""

    def __init__(self, header: Edit, body: Edit, last: Sequence[bytes] = ()) -> None:
        self.edits = {"header": header, "body": body}
        self.last = list(last)

    def header(self, lines: list[bytes]) -> list[bytes]:
        return self.edited("header", lines)

    def body(self, lines: list[bytes]) -> list[bytes]:
        return self.edited("body", lines)

    def edited(self, part: str, lines: list[bytes]) -> list[bytes]:
        new = [new for line in lines for new in self.edits[part](line)]
        return lines if new == lines else new

    def end(self) -> list[bytes]:
        return self.last


def pushed(handler: StreamedMessage, lines: Sequence[bytes], run: int) -> list[bytes]:
    m = message(handler)
    for at in range(0, len(lines), run):
        m.receive(list(lines[at : at + run]))
    m.close_input(m.end())
    return sent(m)


RUNS = pytest.mark.parametrize("run", [1, 2, 3, 1000])
MAIL = [b"A: 1", b"B: 2", b"", b"x", b"", b"y"]
END = [b"Z: 9", b"", b"z"]


@RUNS
@pytest.mark.parametrize(
    ("lines", "header", "body", "out"),
    [
        (MAIL, drop, drop, END),
        (MAIL, keep, drop, [b"A: 1", b"B: 2", b"", *END]),
        (MAIL, drop, keep, [b"", b"x", b"", b"y", *END]),
        (MAIL, keep, keep, [*MAIL, *END]),
        ([b"A: 1"], keep, drop, [b"A: 1", *END]),
        ([b"A: 1"], drop, drop, END),
        ([b"A: 1", b""], keep, drop, [b"A: 1", b"", *END]),
        ([b"A: 1", b""], drop, drop, END),
        ([b"", b"x"], drop, keep, [b"", b"x", *END]),
        ([b"", b"x"], drop, drop, END),
        ([b""], keep, keep, END),
        ([], keep, keep, END),
    ],
)
def test_lines_at_the_end(
    lines: list[bytes], header: Edit, body: Edit, out: list[bytes], run: int
) -> None:
    assert pushed(PerLine(header, body, END), lines, run) == [*out, b"."]


@RUNS
@pytest.mark.parametrize(
    ("lines", "header", "body", "out"),
    [
        (MAIL, drop, drop, [b""]),
        (MAIL, keep, drop, [b"A: 1", b"B: 2", b""]),
        (MAIL, drop, keep, [b"", b"x", b"", b"y"]),
        (MAIL, keep, keep, MAIL),
        ([b"A: 1"], drop, drop, []),
        ([b"A: 1", b""], keep, keep, [b"A: 1", b""]),
        ([b""], keep, keep, [b""]),
        ([b"", b""], keep, keep, [b"", b""]),
        ([b"", b""], keep, drop, [b""]),
        ([], keep, keep, []),
    ],
)
def test_no_lines_at_the_end(
    lines: list[bytes], header: Edit, body: Edit, out: list[bytes], run: int
) -> None:
    assert pushed(PerLine(header, body), lines, run) == [*out, b"."]


def test_the_whole_message_is_sent_from_the_end() -> None:
    """A handler that signs, say, collects all lines, and returns them with one more in front."""

    class Collect(StreamedMessage):
        def __init__(self) -> None:
            self.lines: list[bytes] = []

        def header(self, lines: list[bytes]) -> list[bytes]:
            self.lines += lines
            return []

        def body(self, lines: list[bytes]) -> list[bytes]:
            self.lines += lines if b"" in self.lines else [b"", *lines]
            return []

        def end(self) -> list[bytes]:
            return [b"X-First: yes", *self.lines]

    talk = Talk(Messages(Collect))
    out = b"".join(talk.say(data(line)) for line in (*MAIL, b"."))
    assert out == datalines(b"X-First: yes", *MAIL, b".")


def test_the_blank_line_is_sent_with_the_first_line_of_the_body() -> None:
    m = message(PerLine(drop, lambda line: [line] if line == b"x" else []))
    m.receive([b"A: 1", b""])
    assert not m.wants_to_send()
    m.receive([b"w"])
    assert not m.wants_to_send()
    m.receive([b"x"])
    assert sent(m) == [b"", b"x"]


def test_a_header_that_is_kept_leaves_without_its_blank_line_however_it_is_cut() -> None:
    for cuts in ([b"A: 1", b""],), ([b"A: 1"], [b""]):
        m = message(StreamedMessage())
        for run in cuts:
            m.receive(list(run))
        assert m.take(1000).endswith(b"|A: 1\n")
        m.receive([b"x"])
        assert sent(m) == [b"", b"x"]


@pytest.mark.parametrize("run", [1, 2, 1000])
@pytest.mark.parametrize("header", [keep, drop])
def test_a_handler_that_fails_in_the_body_leaves_the_blank_line_behind(
    header: Edit, run: int
) -> None:
    handler = PerLine(header, lambda line: explode(ValueError()) if line == b"bad" else [])
    lines = [b"A: 1", b"", b"x", b"bad", b"y", b"."]
    talk = Talk(Messages(lambda: handler), on_failure="pass")
    runs = [data(*lines[at : at + run]) for at in range(0, len(lines), run)]
    out = b"".join(map(talk.say, runs))
    front = [b"A: 1"] if header is keep or run == 1000 else []
    rest = {1: [b"bad", b"y"], 2: [b"x", b"bad", b"y"], 1000: [b"x", b"bad", b"y"]}[run]
    assert out == datalines(*front, b"", *rest, b".")


@pytest.mark.parametrize("header", [keep, drop])
def test_a_handler_that_fails_at_the_end_leaves_the_blank_line_behind(header: Edit) -> None:
    class Broken(PerLine):
        def end(self) -> list[bytes]:
            raise ValueError

    talk = Talk(Messages(lambda: Broken(header, drop)), on_failure="pass")
    out = talk.say(data(*MAIL, b"."))
    front = [b"A: 1", b"B: 2"] if header is keep else []
    assert out == datalines(*front, b"", b".")


def test_the_blank_line_needs_no_room_where_the_handler_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(PerLine):
        def end(self) -> list[bytes]:
            raise ValueError

    talk = Talk(Messages(lambda: Broken(drop, drop)), on_failure="pass", budget=Budget(0, 0))
    assert talk.say(data(*MAIL)) == b""
    monkeypatch.setattr(os, "pwrite", lambda *_: explode(OSError(errno.ENOSPC, "full")))
    assert talk.say(data(b".")) == datalines(b"", b".")


LINES = st.lists(st.sampled_from([b"A: 1", b"B: 2", b" b", b"..c", b"", b"d"]), max_size=8)
EDITS: dict[str, Edit] = {
    "keep": keep,
    "drop": drop,
    "twice": lambda line: [line, line],
    "dots": lambda line: [line] if line.startswith(b".") else [],
    "no dots": lambda line: [] if line.startswith(b".") else [line],
    "other": lambda line: [b"." + line],
}
EDIT = st.sampled_from(list(EDITS))


def model(lines: list[bytes], header: Edit, body: Edit, last: list[bytes]) -> list[bytes]:
    """Return what a message without dot-stuffing becomes."""
    parted = b"" in lines
    cut = lines.index(b"") if parted else len(lines)
    front = [new for line in lines[:cut] for new in header(line)]
    rest = [new for line in lines[cut + 1 :] for new in body(line)]
    blank = [b""] if parted else []
    if front or rest or not last:
        return [*front, *blank, *rest, *last]
    return last


@given(lines=LINES, header=EDIT, body=EDIT, last=LINES, cuts=st.sets(st.integers(0, 8)))
def test_any_edit_in_any_runs_is_what_the_model_says(
    lines: list[bytes], header: str, body: str, last: list[bytes], cuts: set[int]
) -> None:
    m = message(PerLine(EDITS[header], EDITS[body], last))
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(lines)), len(lines)]
    out: list[bytes] = []
    for start, end in pairwise(places):
        if start < end:
            m.receive(lines[start:end])
            out += sent(m) if m.wants_to_send() else []
    m.close_input(m.end())
    out += sent(m)
    unstuffed = [line.removeprefix(b".") for line in out[:-1]]
    seen = [line.removeprefix(b".") for line in lines]
    assert out[-1] == b"."
    assert unstuffed == model(seen, EDITS[header], EDITS[body], last)
