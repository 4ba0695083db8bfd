"""Lines of a message: dots undone and done, header and body apart, long ones found."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.filter.message_lines import (
    Parts,
    check_lines,
    has_line_over,
    stuff,
    stuff_block,
    unstuff,
    unstuff_block,
)
from opensmtpd.errors import DecisionError, ProtocolError
from opensmtpd.filter import HeldMessage


@given(lengths=st.lists(st.integers(0, 40), min_size=1), limit=st.integers(2, 30))
def test_no_line_over_the_limit_is_overlooked(lengths: list[int], limit: int) -> None:
    block = b"".join(b"x" * length + b"\n" for length in lengths)
    assert has_line_over(limit, block) or max(lengths) <= limit


@pytest.mark.parametrize(
    ("lines", "block"),
    [
        ([], b""),
        ([b""], b"\n"),
        ([b".", b"..", b".x", b"x."], b"..\n...\n..x\nx.\n"),
        ((b"a", b""), b"a\n\n"),
    ],
)
def test_dots_are_doubled(lines: Sequence[bytes], block: bytes) -> None:
    assert stuff(lines, 100) == block


@pytest.mark.parametrize("lines", [None, b"x", "x", [b"a\nb"], [b"\0"], [b"x" * 11], [b"." * 10]])
def test_no_lines(lines: object) -> None:
    with pytest.raises(DecisionError):
        stuff(check_lines(lines, "end", HeldMessage()), 10)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "end returned None: return a list of lines"),
        (b"X-A: 1", "end returned a bytes: return a list of lines"),
        (list, "end returned the class list: return a list of lines"),
    ],
)
def test_what_is_no_list(value: object, text: str) -> None:
    handler = HeldMessage()
    with pytest.raises(DecisionError) as caught:
        check_lines(value, "end", handler)
    assert str(caught.value) == text
    assert caught.value.method == handler.end


@pytest.mark.parametrize(
    ("lines", "kind"),
    [(["X-A: 1"], "str"), ([b"X-A: 1", "x"], "str"), ([None], "NoneType"), ([b"", 1], "int")],
)
def test_lines_that_are_no_bytes(lines: Any, kind: str) -> None:
    with pytest.raises(DecisionError) as caught:
        stuff(lines, 100)
    assert str(caught.value) == f"lines are bytes, not {kind}"


@pytest.mark.parametrize(
    ("plain", "stuffed"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b".\n", b"..\n"),
        (b"a.b\n..\n\n.c\n", b"a.b\n...\n\n..c\n"),
        (b"a\r.b\n", b"a\r.b\n"),
    ],
)
def test_dots_of_a_block_are_doubled_and_undone(plain: bytes, stuffed: bytes) -> None:
    assert stuff_block(plain) == stuffed
    assert unstuff_block(stuffed) == plain


LINES = st.lists(st.sampled_from([b"", b"a", b".", b"..", b".a", b"a.", b"\r.", b" ."]))


@given(LINES)
def test_blocks_and_lists_of_lines_have_the_same_dots(lines: list[bytes]) -> None:
    block = b"".join(line + b"\n" for line in lines)
    stuffed = stuff_block(block)
    assert stuff(lines, 10) == stuffed
    assert unstuff(stuffed.split(b"\n")[:-1], stuffed) == lines
    assert unstuff_block(stuffed) == block


def test_lines_without_dots_are_the_same_list() -> None:
    lines = [b"a", b"b.", b""]
    assert unstuff(lines, b"a\nb.\n\n") is lines


def test_a_dot_that_was_not_doubled_is_gone() -> None:
    assert unstuff([b"a", b".b"], b"a\n.b\n") == [b"a", b"b"]


@pytest.mark.parametrize("lines", [[b"."], [b"a", b".", b".b"]])
def test_no_final_dot_amid_lines(lines: list[bytes]) -> None:
    with pytest.raises(ProtocolError, match="behind the final dot"):
        unstuff(lines, b"\n".join([*lines, b""]))


def test_the_first_blank_line_parts_header_and_body() -> None:
    parts = Parts()
    assert parts.cut([b"A: 1"]) == ([b"A: 1"], [])
    assert not parts.in_body
    assert parts.cut([b"B: 2", b"", b"x", b"", b"y"]) == ([b"B: 2"], [b"x", b"", b"y"])
    assert parts.in_body
    assert parts.cut([b"", b"z"]) == ([], [b"", b"z"])
