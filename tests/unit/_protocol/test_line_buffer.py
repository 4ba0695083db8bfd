"""LineBuffer: the same lines however the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.line_buffer import LINE_MAX, LineBuffer


def feed(buffer: LineBuffer, data: bytes, size: int) -> list[bytes]:
    lines = []
    for at in range(0, len(data), size):
        lines += buffer.feed(data[at : at + size])
    return lines


@pytest.mark.parametrize("size", [1, 2, 3, 1000], ids=["bytewise", "by two", "by three", "whole"])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"no end", []),
        (b"\n", [b""]),
        (b"one\n", [b"one"]),
        (b"one\n\ntwo\n", [b"one", b"", b"two"]),
        (b"one\r\ntwo\0\xff\n", [b"one\r", b"two\0\xff"]),
        (b"one\ntwo", [b"one"]),
    ],
)
def test_lines(data: bytes, lines: list[bytes], size: int) -> None:
    assert feed(LineBuffer(), data, size) == lines


def test_what_follows_the_last_line_feed_waits() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"one\ntw") == [b"one"]
    assert buffer.feed(b"") == []
    assert buffer.feed(b"o") == []
    assert buffer.feed(b"\nthree") == [b"two"]
    assert buffer.feed(b"\n") == [b"three"]


@pytest.mark.parametrize("size", [1, 4, 5, 1000])
def test_a_line_longer_than_the_limit_is_dropped_and_counted(size: int) -> None:
    buffer = LineBuffer(limit=5)
    assert feed(buffer, b"12345\n123456\nok\n" + b"x" * 99 + b"\n\n", size) == [
        b"12345",
        b"ok",
        b"",
    ]
    assert buffer.dropped == 2


def test_memory_of_an_endless_line_is_bounded() -> None:
    buffer = LineBuffer(limit=1000)
    for _ in range(100):
        assert buffer.feed(b"x" * 999) == []
        assert sum(map(len, buffer._parts)) <= 1000
    assert buffer.feed(b"\nshort\n") == [b"short"]
    assert buffer.dropped == 1


def test_the_default_limit_holds_any_line_of_smtpds() -> None:
    assert LINE_MAX == 1048576
    assert LineBuffer().feed(b"x" * LINE_MAX + b"\n") == [b"x" * LINE_MAX]


@given(
    data=st.lists(st.sampled_from([b"a", b"bb", b"\n", b"ccccc", b"\n\n"])).map(b"".join),
    cuts=st.lists(st.integers(min_value=0, max_value=40)),
    limit=st.integers(min_value=1, max_value=8),
)
def test_chunking_changes_nothing(data: bytes, cuts: list[int], limit: int) -> None:
    buffer = LineBuffer(limit)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    lines = [line for a, b in itertools.pairwise(places) for line in buffer.feed(data[a:b])]
    complete = data.split(b"\n")[:-1]
    assert lines == [line for line in complete if len(line) <= limit]
    assert buffer.dropped == sum(len(line) > limit for line in complete)
