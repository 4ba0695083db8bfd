"""Lines of Dovecot's authentication protocol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.dovecot.codec import LINE_MAX, LineReader, join, parameters, split
from opensmtpd.errors import ServerLost


def test_fields_have_tabs_in_between() -> None:
    assert join(b"AUTH", b"1", b"PLAIN", b"service=smtp") == b"AUTH\t1\tPLAIN\tservice=smtp\n"
    assert split(b"OK\t1\tuser=alice") == [b"OK", b"1", b"user=alice"]
    assert split(b"") == [b""]


def test_bytes_that_would_end_a_field_are_escaped() -> None:
    assert join(b"USER", b"a\tb\nc\rd\0e\x01f") == b"USER\ta\x01tb\x01lc\x01rd\x010e\x011f\n"
    assert split(b"a\x01tb\x01lc\x01rd\x010e\x011f\x01xg\x01") == [b"a\tb\nc\rd\0e\x01fxg"]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_any_fields_are_read_as_they_were_written(fields: list[bytes]) -> None:
    line = join(*fields)
    assert line.count(b"\n") == 1
    assert split(line[:-1]) == fields


def test_parameters() -> None:
    fields = [b"user=alice", b"temp", b"reason=a=b", b"user=root", b"=x"]
    assert parameters(fields) == {b"user": b"alice", b"temp": b"", b"reason": b"a=b", b"": b"x"}


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines(size: int) -> None:
    data = b"VERSION\t1\t2\n\nOK\t1\nrest"
    reader, lines = LineReader(), []
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
        while (line := reader.line()) is not None:
            lines.append(line)
    assert lines == [b"VERSION\t1\t2", b"", b"OK\t1"]
    assert not reader.empty
    reader.feed(b"\n")
    assert reader.line() == b"rest"
    assert reader.empty


@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_a_line_without_end(size: int) -> None:
    reader = LineReader()
    longest = b"x" * LINE_MAX + b"\n"
    for at in range(0, len(longest), size):
        reader.feed(longest[at : at + size])
    assert reader.line() == longest[:-1]
    reader.feed(b"x" * LINE_MAX)
    assert reader.line() is None
    with pytest.raises(ServerLost):
        reader.feed(b"x")


@given(st.binary(max_size=80))
def test_pieces_make_no_difference(data: bytes) -> None:
    def lines(size: int) -> list[bytes | None]:
        reader = LineReader()
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
        return [reader.line() for _ in range(81)]

    assert lines(1) == lines(5) == lines(100)
