"""Fields: cut out of a header, read, and made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import DecisionError
from opensmtpd.filter.field import Field, has_longer_line, items, longest, make, read


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        (b"Subject: hello", b"Subject", b"hello"),
        (b"SUBJECT:hello", b"SUBJECT", b"hello"),
        (b"Subject :hello", b"Subject", b"hello"),
        (b"Subject \t : hello ", b"Subject", b"hello"),
        (b"Subject:", b"Subject", b""),
        (b"Subject: \t", b"Subject", b""),
        (b"A: b: c", b"A", b"b: c"),
        (b"A: one\n two\n\tthree", b"A", b"one two\tthree"),
        (b"A:\n  two", b"A", b"two"),
        (b"A: one\n \n two", b"A", b"one  two"),
        (b"A: \xff\r\xe9", b"A", b"\xff\r\xe9"),
        (b".A!{|}~: b", b".A!{|}~", b"b"),
        (b"1: 2", b"1", b"2"),
        (b"A::", b"A", b":"),
    ],
)
def test_a_field(raw: bytes, name: bytes, value: bytes) -> None:
    field = read(raw)
    assert field is not None
    assert (field.raw, field.name, field.value) == (raw, name, value)


@pytest.mark.parametrize(
    "raw",
    [b"", b"no colon", b": x", b" A: b", b"\tA: b", b"a b: c", b"\xe9: x", b"A\x7f: x", b"A\r: x",
     b"From alice Tue Mar  3 10:00:00 2026", b"A\n : b"],
)  # fmt: skip
def test_no_field(raw: bytes) -> None:
    assert read(raw) is None


def test_fields_are_equal_only_if_they_are_the_same() -> None:
    one, other = read(b"A: 1"), read(b"A: 1")
    assert one != other
    assert one == one  # noqa: PLR0124  identity is the point
    assert repr(one) == "Field(b'A', b'1')"


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"A: x", [b"x"]),
        (b"A: one\n two\n\tthree ", [b"one", b" two", b"\tthree "]),
        (b"A:\n  two", [b"", b"  two"]),
        (b"A:", [b""]),
        (b"A: ", [b" "]),
        (b"A: \n x", [b" ", b" x"]),
        (b"A:  x", [b"  x"]),
        (b"A: \tx", [b" \tx"]),
        (b"A:\tx", [b"\tx"]),
        (b"A: one\n \n two", [b"one", b" ", b" two"]),
        (b"A: b: c", [b"b: c"]),
        (b"A: .x\n .y", [b".x", b" .y"]),
    ],
)
def test_lines_write_a_field_as_it_came(raw: bytes, lines: list[bytes]) -> None:
    field = read(raw)
    assert field is not None
    assert field.lines == lines
    assert make(field.name, field.lines, 100).raw == raw


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        (b"A:x\n y", b"A: x\n y"),
        (b"A : x\n y", b"A: x\n y"),
        (b"A\t:\n x", b"A:\n x"),
        (b"A :x", b"A: x"),
    ],
)
def test_lines_of_a_form_that_is_not_written(raw: bytes, written: bytes) -> None:
    field = read(raw)
    assert field is not None
    assert make(field.name, field.lines, 100).raw == written


def test_lines_show_carriage_returns_that_cannot_be_written() -> None:
    field = read(b"A: x\r\n y")
    assert field is not None
    assert field.lines == [b"x\r", b" y"]
    with pytest.raises(DecisionError, match="carriage return"):
        make(b"A", field.lines, 100)


def test_lines_are_a_copy() -> None:
    field = read(b"A: x\n y")
    assert field is not None
    field.lines[0] = b"z"
    assert field.lines == [b"x", b" y"]


TEXT = st.text("x:. \t", max_size=4).map(str.encode)
CONTINUED = st.lists(st.tuples(st.sampled_from([b" ", b"\t"]), TEXT).map(b"".join), max_size=3)


@given(st.sampled_from([b"", b" ", b"\t"]), TEXT, CONTINUED)
def test_lines_write_any_field(before: bytes, first: bytes, others: list[bytes]) -> None:
    """The law: byte for byte, but for the blanks about the colon that a new field has or lacks."""
    value = b"\n".join([first, *others])
    field = read(b"A" + before + b":" + value)
    assert field is not None
    bare = value and not value.startswith((b" ", b"\t", b"\n"))
    written = make(b"A", field.lines, 100)
    assert written.raw == b"A:" + (b" " if bare else b"") + value
    assert (written.lines, written.value) == (field.lines, field.value)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"", []),
        (b"A: 1\n", ["A: 1"]),
        (b"A: 1\n x\n\ty\nB: 2\n", ["A: 1\n x\n\ty", "B: 2"]),
        (b" x\n y\nA: 1\n", [b" x\n y", "A: 1"]),
        (b" x\n", [b" x"]),
        (b"junk\n of two lines\nA: 1\n\n", [b"junk\n of two lines", "A: 1", b""]),
        (b"A: 1\njunk\n", ["A: 1", b"junk"]),
        (b"A: 1\n \n", ["A: 1\n "]),
    ],
)
def test_what_a_header_consists_of(header: bytes, found: list[str | bytes]) -> None:
    assert [
        item.raw.decode() if isinstance(item, Field) else item for item in items(header)
    ] == found


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (b"x", b"A: x"),
        (b" x", b"A: x"),
        (b"\tx", b"A:\tx"),
        (b"", b"A:"),
        (b"x\n y", b"A: x\n y"),
        (b"\n y", b"A:\n y"),
        ([b"x", b"\ty"], b"A: x\n\ty"),
        ((b"", b" y"), b"A:\n y"),
        ([], b"A:"),
        (b"\xff", b"A: \xff"),
    ],
)
def test_a_field_is_made(value: bytes, raw: bytes) -> None:
    field = make(b"A", value, 100)
    assert field.raw == raw
    again = read(field.raw)
    assert again is not None
    assert (again.name, again.value) == (field.name, field.value)


@pytest.mark.parametrize("name", [b"", b" A", b"A ", b"A:", b"a b", b"A\n", b"\xe9", b"\0", "A", 1])
def test_no_name(name: bytes) -> None:
    with pytest.raises(DecisionError, match="is no name of a field"):
        make(name, b"x", 100)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"x\ny", "a line feed in the value of A has no blank behind it"),
        (b"x\n", "a line feed in the value of A has no blank behind it"),
        (b"x\n\n y", "a line feed in the value of A has no blank behind it"),
        ([b"x", b"y"], "does not begin with a blank"),
        ([b"x", b""], "does not begin with a blank"),
        (b"x\r\n y", "carriage return"),
        (b"x\ry", "carriage return"),
        (b"x\0", "NUL"),
        ("x", "neither bytes nor lines"),
        (["x"], "neither bytes nor lines"),
        (None, "neither bytes nor lines"),
        ({b"x"}, "neither bytes nor lines"),
        (bytearray(b"x"), "neither bytes nor lines"),
    ],
)
def test_no_value(value: bytes, reason: str) -> None:
    with pytest.raises(DecisionError, match=reason):
        make(b"A", value, 100)


@pytest.mark.parametrize(
    ("name", "value"), [(b"A", b"x" * 8), (b"A", b"x\n" + b" " * 11), (b".", b"x" * 7)]
)
def test_a_line_too_long(name: bytes, value: bytes) -> None:
    with pytest.raises(DecisionError, match="longer than smtpd takes"):
        make(name, value, 10)
    assert longest(make(name, value[:-1], 10).raw.split(b"\n")) == 10


@pytest.mark.parametrize(
    ("block", "longest"),
    [
        (b"", 0),
        (b"\n", 0),
        (b"\n\n\n", 0),
        (b"abc", 3),
        (b"abc\n", 3),
        (b"a\nabcd\nab\n", 4),
        (b"a\nab\nabcd", 4),
        (b"abcde\n\n\nab", 5),
    ],
)
def test_longer_lines(block: bytes, longest: int) -> None:
    assert not has_longer_line(block, longest)
    for size in range(longest):
        assert has_longer_line(block, size)
