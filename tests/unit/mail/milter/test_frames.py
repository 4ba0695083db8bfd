"""Frames, whole and byte by byte, and garbage instead of them."""

import pytest

from opensmtpd.errors import LocalError, ProtocolError
from opensmtpd.mail.milter.frames import DATA_MAX, REPLY_FRAME_MAX, Frame, MilterFrames, frame
from unit.support.milter_talk import SIZES, pieces


@pytest.mark.parametrize(
    ("letter", "data", "expected"),
    [
        (b"Q", b"", b"\0\0\0\1Q"),
        (b"H", b"mx\0", b"\0\0\0\4Hmx\0"),
        (b"B", b"x" * DATA_MAX, b"\0\1\0\0B" + b"x" * DATA_MAX),
    ],
)
def test_frames_to_a_milter(letter: bytes, data: bytes, expected: bytes) -> None:
    assert frame(letter, data) == expected


def test_a_milter_takes_no_longer_one() -> None:
    with pytest.raises(LocalError, match="65536 bytes for a milter"):
        frame(b"B", b"x" * (DATA_MAX + 1))


@pytest.mark.parametrize("size", SIZES)
def test_frames_of_a_milter(size: int) -> None:
    frames = MilterFrames()
    data = b"\0\0\0\1c\0\0\0\3q\0\xff\0\0\0\1a\0\0\0"
    got = [each for piece in pieces(data, size) for each in frames.feed(piece)]
    assert got == [Frame(b"c", b""), Frame(b"q", b"\0\xff"), Frame(b"a", b"")]
    assert not frames.empty
    assert list(frames.feed(b"\2sx")) == [Frame(b"s", b"x")]
    assert frames.empty


def test_a_frame_that_nobody_took_comes_later() -> None:
    frames = MilterFrames()
    assert next(frames.feed(b"\0\0\0\1c\0\0\0\1a")) == (b"c", b"")
    assert not frames.empty
    assert list(frames.feed(b"")) == [Frame(b"a", b"")]


def test_the_longest() -> None:
    frames = MilterFrames()
    data = b"\0\x10\0\0b" + b"x" * (REPLY_FRAME_MAX - 1)
    assert list(frames.feed(data[:-1])) == []
    assert list(frames.feed(b"x")) == [Frame(b"b", data[5:])]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\0\0", "a frame of 0 bytes"),
        (b"\0\x10\0\1", "a frame of 1048577 bytes"),
        (b"HTTP/1.1 400 Bad Request\r\n", "a frame of 1213486160 bytes"),
        (b"\xff\xff\xff\xff", "a frame of 4294967295 bytes"),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_garbage_is_seen_with_its_length(data: bytes, message: str, size: int) -> None:
    frames = MilterFrames()
    *pieces_before, last = pieces(data[:4], size)
    assert [list(frames.feed(piece)) for piece in pieces_before] == [[]] * len(pieces_before)
    with pytest.raises(ProtocolError, match=message):
        next(frames.feed(last))


def test_what_came_before_garbage_is_heard() -> None:
    got = MilterFrames().feed(b"\0\0\0\1c\0\0\0\0")
    assert next(got) == (b"c", b"")
    with pytest.raises(ProtocolError):
        next(got)
