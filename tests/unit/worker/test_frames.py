import contextlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import LocalError, ProtocolError
from opensmtpd.worker.frames import FRAME_MAX, FrameBuffer, pack, whole

# No other surrogates stand for bytes that are no UTF-8.
BYTES = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8") | BYTES)
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)  # fmt: skip


def test_a_frame_is_a_version_a_length_and_msgpack() -> None:
    assert pack([1, "a"]) == b"\x01\x00\x00\x00\x04\x92\x01\xa1a"


@given(st.lists(PLAIN, max_size=5))
def test_a_frame_is_that_of_the_plain_way(values: list[Any]) -> None:
    """Whatever was packed before, and failed amid its data."""
    for value in values:
        body = msgpack.packb(value, unicode_errors="surrogateescape")
        assert pack(value) == b"\x01" + len(body).to_bytes(4, "big") + body
        with pytest.raises(LocalError):
            pack([value, object()])


def test_a_frame_that_is_made_while_another_is() -> None:
    class Asks(dict[str, int]):
        def items(self) -> Any:
            frames.append(pack([3, "c"]))
            return super().items()

    frames: list[bytes] = []
    assert pack([1, Asks(a=2), "b"]) == pack([1, {"a": 2}, "b"])
    assert frames == [pack([3, "c"])]


@given(st.lists(PLAIN, max_size=5), st.integers(1, 50))
def test_frames_come_back_in_pieces_of_any_size(values: list[Any], size: int) -> None:
    data = b"".join(map(pack, values))
    buffer = FrameBuffer()
    found = [
        value
        for begin in range(0, len(data), size)
        for value in buffer.feed(data[begin : begin + size])
    ]
    assert found == values


@pytest.mark.parametrize(
    "data",
    [
        b"\x02\x00\x00\x00\x01\xc0",  # another version
        b"\x01\xff\xff\xff\xff",  # too long, and refused before it has come
        b"\x01" + (FRAME_MAX + 1).to_bytes(4, "big"),
        b"\x01\x00\x00\x00\x01\xc1",  # a byte that msgpack never uses
        b"\x01\x00\x00\x00\x02\xc0\xc0",  # more than one value
        b"\x01\x00\x00\x00\x01\x92",  # less than one
        b"\x01\x00\x00\x00\x05" + b"\x91" * 5,
        b"\x01\x00\x00\x10\x00" + b"\x91" * 4096,  # nested without end
    ],
)
def test_bytes_that_are_no_frame(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(FrameBuffer().feed(data))
    buffer = FrameBuffer()
    with pytest.raises(ProtocolError):
        [list(buffer.feed(bytes([byte]))) for byte in data]


@given(st.binary(max_size=200))
def test_any_bytes_give_data_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        list(FrameBuffer().feed(b"\x01" + data))


@pytest.mark.parametrize("value", [object(), {1, 2}, 1 << 64, b"x" * (FRAME_MAX + 1)])
def test_data_that_no_frame_holds(value: object) -> None:
    with pytest.raises(LocalError):
        pack(value)


@given(PLAIN)
def test_one_frame_and_nothing_else(value: Any) -> None:
    frame = pack([value])
    assert whole(frame) == [value]
    assert whole(frame[:-1]) is None
    assert whole(frame + b"\x01") is None


@given(st.binary())
def test_any_bytes_give_data_or_none(data: bytes) -> None:
    """Where they are a frame, the buffer finds the same."""
    found = whole(data)
    if found is not None:
        assert list(FrameBuffer().feed(data)) == [found]


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02\0\0\0\1\x01", b"\x01\0\0\0\1\xc1"])
def test_bytes_that_are_no_whole_frame(data: bytes) -> None:
    assert whole(data) is None


def test_the_largest_frame() -> None:
    value = b"x" * (FRAME_MAX - 5)
    assert list(FrameBuffer().feed(pack(value))) == [value]
    with pytest.raises(LocalError, match="1048577 bytes for a worker, more than 1048576"):
        pack(b"x" * (FRAME_MAX - 4))
