"""Edits of a header and a body, one after the other."""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd.errors import DecisionError, LocalError
from opensmtpd.filter.edits import Edits
from unit.support.traced import steps

HEADER = b"A: 1\nB: 2\n  x\nA: 3\n"


def names(edits: Edits) -> list[bytes]:
    return [field.name for field in edits.fields()]


def test_a_header_that_is_read_is_not_changed() -> None:
    edits = Edits(HEADER, 100)
    assert [(field.name, field.value) for field in edits.fields()] == [
        (b"A", b"1"),
        (b"B", b"2  x"),
        (b"A", b"3"),
    ]
    assert edits.fields() is edits.fields()
    assert (edits.header_changed, edits.header()) == (False, HEADER)


@pytest.mark.parametrize(
    ("at", "header"),
    [
        (0, b"N: n\nA: 1\nB: 2\n  x\nA: 3\n"),
        (1, b"A: 1\nN: n\nB: 2\n  x\nA: 3\n"),
        (2, b"A: 1\nB: 2\n  x\nN: n\nA: 3\n"),
        (3, b"A: 1\nB: 2\n  x\nA: 3\nN: n\n"),
        (99, b"A: 1\nB: 2\n  x\nA: 3\nN: n\n"),
    ],
)
def test_insert(at: int, header: bytes) -> None:
    edits = Edits(HEADER, 100)
    new = edits.insert(at, b"N", b"n")
    assert edits.header() == header
    assert edits.fields()[min(at, 3)] is new


def test_insert_at_no_index() -> None:
    with pytest.raises(DecisionError, match="index of 0 or more, not -1"):
        Edits(HEADER, 100).insert(-1, b"N", b"n")


@pytest.mark.parametrize(
    ("header", "top", "bottom"),
    [
        (b"", b"N: n\n", b"N: n\n"),
        (b"junk\n", b"N: n\njunk\n", b"junk\nN: n\n"),
        (b"junk\nA: 1\n", b"N: n\njunk\nA: 1\n", b"junk\nA: 1\nN: n\n"),
        (b"A: 1\njunk\n x\n", b"N: n\nA: 1\njunk\n x\n", b"A: 1\njunk\n x\nN: n\n"),
        # A field above these lines would be continued by them.
        (b" x\n y\n", b" x\n y\nN: n\n", b" x\n y\nN: n\n"),
        (b"\tx\nA: 1\n", b"\tx\nN: n\nA: 1\n", b"\tx\nA: 1\nN: n\n"),
    ],
)
def test_top_and_bottom_of_odd_headers(header: bytes, top: bytes, bottom: bytes) -> None:
    edits = Edits(header, 100)
    edits.insert(0, b"N", b"n")
    assert edits.header() == top
    edits = Edits(header, 100)
    edits.append(b"N", b"n")
    assert edits.header() == bottom


def test_a_field_before_one_that_other_lines_precede() -> None:
    edits = Edits(b"A: 1\njunk\nB: 2\n", 100)
    edits.insert(1, b"N", b"n")
    assert edits.header() == b"A: 1\njunk\nN: n\nB: 2\n"


def test_replace_keeps_name_and_place() -> None:
    edits = Edits(b"A: 1\nsubject : old\n folded\nB: 2\n", 100)
    new = edits.replace(edits.fields()[1], [b"new", b"\tfolded"])
    assert edits.header() == b"A: 1\nsubject: new\n\tfolded\nB: 2\n"
    assert edits.fields()[1] is new
    assert edits.replace(new, b"newer").value == b"newer"
    assert edits.header() == b"A: 1\nsubject: newer\nB: 2\n"


def test_remove_in_a_loop() -> None:
    edits = Edits(HEADER + b"junk\n", 100)
    for field in edits.fields():
        if field.name == b"A":
            edits.remove(field)
    assert (names(edits), edits.header()) == ([b"B"], b"B: 2\n  x\njunk\n")
    edits.remove(edits.fields()[0])
    assert (names(edits), edits.header()) == ([], b"junk\n")
    edits.insert(0, b"N", b"n")
    assert edits.header() == b"N: n\njunk\n"


def test_each_edit_is_seen_by_the_next() -> None:
    edits = Edits(HEADER, 100)
    first = edits.insert(0, b"N", b"1")
    edits.append(b"O", b"2")
    edits.insert(1, b"P", b"3")
    edits.remove(first)
    assert names(edits) == [b"P", b"A", b"B", b"A", b"O"]


@pytest.mark.parametrize("edit", ["remove", "replace"])
def test_fields_that_are_gone_or_another_messages(edit: str) -> None:
    edits = Edits(HEADER, 100)
    (one, two, _), foreign = edits.fields(), Edits(HEADER, 100).fields()[0]
    edits.remove(one)
    edits.replace(two, b"new")
    for field in (one, two, foreign):
        with pytest.raises(LocalError, match="no field of this message, or no longer one"):
            edits.remove(field) if edit == "remove" else edits.replace(field, b"x")
    assert edits.header() == b"B: new\nA: 3\n"


@pytest.mark.parametrize(
    ("thing", "kind"), [(b"A", "bytes"), ((), "tuple"), ([], "list"), (None, "NoneType")]
)
def test_what_is_no_field(thing: Any, kind: str) -> None:
    edits = Edits(HEADER, 100)
    told = rf"\(\) takes one Field, as fields and named\(\) return them, not a {kind}$"
    with pytest.raises(LocalError, match="^replace" + told):
        edits.replace(thing, b"x")
    with pytest.raises(LocalError, match="^remove" + told):
        edits.remove(thing)
    with pytest.raises(LocalError, match="^remove" + told.replace(kind, "tuple")):
        edits.remove(edits.fields())  # type: ignore[arg-type]  # the mistake
    assert not edits.header_changed


def test_lines_keep_a_field_folded() -> None:
    header = b"A: 1\nSubject: a long\n one\n\tfolded\nB:2\n"
    edits = Edits(header, 100)
    first, *others = edits.fields()[1].lines
    edits.replace(edits.fields()[1], [b"Re: " + first, *others])
    assert edits.header() == header.replace(b"a long", b"Re: a long")


def test_an_edit_that_is_refused_changes_nothing() -> None:
    edits = Edits(HEADER, 100)
    with pytest.raises(DecisionError):
        edits.replace(edits.fields()[0], b"x\ny")
    with pytest.raises(DecisionError):
        edits.insert(0, b"N N", b"x")
    assert (edits.header_changed, edits.header()) == (False, HEADER)
    edits.remove(edits.fields()[0])


def test_the_body() -> None:
    edits = Edits(HEADER, 100)
    edits.append_body([b"a"])
    edits.append_body((b"b", b""))
    assert (edits.body, edits.appended) == (None, [b"a", b"b", b""])
    edits.replace_body([b"c"])
    edits.append_body([b"d"])
    assert (edits.body, edits.appended) == ([b"c"], [b"d"])
    edits.replace_body([])
    assert (edits.body, edits.appended) == ([], [])
    edits.append_body([b"e"])
    edits.replace_body(b"f\n\n.g")
    assert (edits.body, edits.appended) == (b"f\n\n.g\n", [])
    edits.replace_body(b"")
    assert edits.body == b""


@pytest.mark.parametrize(
    "body", [b"a\0\n", b"x" * 100, b"a\n" + b"x" * 100 + b"\nb\n", b"a\nb\n" + b"." * 100]
)
def test_no_bytes_of_a_body(body: bytes) -> None:
    edits = Edits(HEADER, 100)
    with pytest.raises(DecisionError):
        edits.replace_body(body)
    assert edits.body is None
    edits.replace_body(b"x" * 99 + b"\n" + b"." * 99)


@pytest.mark.parametrize(
    "lines", [None, "x", ["x"], [1], [b"a\nb"], [b"a\0"], {b"x"}, [b"x" * 101], [b"." * 100]]
)
def test_no_lines_of_a_body(lines: list[bytes]) -> None:
    edits = Edits(HEADER, 100)
    with pytest.raises(DecisionError):
        edits.append_body(lines)
    with pytest.raises(DecisionError):
        edits.replace_body(lines)
    assert (edits.body, edits.appended) == (None, [])


@pytest.mark.parametrize("edit", ["prepend", "append", "replace", "remove"])
def test_an_edit_takes_no_longer_in_a_longer_header(edit: str) -> None:
    """A handler that adds a field for each would take time by the square of a client's header."""

    def cost(count: int) -> int:
        edits = Edits(b"X: y\n" * count, 100)
        first, *_ = edits.fields()
        edits.insert(0, b"X", b"y")
        calls: dict[str, Callable[[], object]] = {
            "prepend": lambda: edits.insert(0, b"X", b"y"),
            "append": lambda: edits.append(b"X", b"y"),
            "replace": lambda: edits.replace(first, b"y"),
            "remove": lambda: edits.remove(first),
        }
        return steps(calls[edit])

    assert cost(1000) == cost(10)
