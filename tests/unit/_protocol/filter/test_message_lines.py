"""Lines of a message: dots undone and done, header and body apart, long ones found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.filter.message_lines import Parts, has_line_over, stuff
from opensmtpd.errors import DecisionError


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
def test_dots_are_doubled(lines: object, block: bytes) -> None:
    assert stuff(lines, 100) == block


@pytest.mark.parametrize("lines", [None, b"x", "x", [b"a\nb"], [b"\0"], [b"x" * 11], [b"." * 10]])
def test_no_lines(lines: object) -> None:
    with pytest.raises(DecisionError):
        stuff(lines, 10)


def test_the_first_blank_line_parts_header_and_body() -> None:
    parts = Parts()
    assert parts.cut([b"A: 1"]) == ([b"A: 1"], [])
    assert not parts.in_body
    assert parts.cut([b"B: 2", b"", b"x", b"", b"y"]) == ([b"B: 2"], [b"x", b"", b"y"])
    assert parts.in_body
    assert parts.cut([b"", b"z"]) == ([], [b"", b"z"])
