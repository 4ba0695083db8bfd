"""The content of a counter file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._counters import record
from opensmtpd._counters.counts import OWN

COUNT = len(OWN.index)
VALUES = list(range(1, COUNT + 1))
numbers = st.integers(0, record.NUMBER_MAX)


@given(numbers, st.lists(numbers, min_size=COUNT, max_size=COUNT))
def test_what_is_packed_comes_out(began: int, values: list[int]) -> None:
    data = record.pack(began, values)
    assert len(data) == record.SIZE
    assert record.unpack(data) == (began, values)


def test_it_is_written_at_once() -> None:
    """It is less than a page, so that a reader seldom sees a half."""
    assert record.SIZE < 4096


def test_a_number_that_is_too_large() -> None:
    values = [1 << 70, *VALUES[1:]]
    assert record.unpack(record.pack(1, values))[1] == [record.NUMBER_MAX, *VALUES[1:]]


@pytest.mark.parametrize("size", range(0, record.SIZE, 97))
def test_a_part_of_a_record(size: int) -> None:
    with pytest.raises(ValueError, match="another size"):
        record.unpack(record.pack(1, VALUES)[:size])


def test_a_record_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="another size"):
        record.unpack(record.pack(1, VALUES) + b"\0")


@pytest.mark.parametrize("place", [0, 15, 16, 20, 24, 40, record.SIZE - 1])
def test_each_byte_counts(place: int) -> None:
    data = bytearray(record.pack(1, VALUES))
    data[place] ^= 1
    with pytest.raises(ValueError, match="not a whole record"):
        record.unpack(bytes(data))


@pytest.mark.parametrize("half", range(48, record.SIZE, 256))
def test_half_of_a_record_and_half_of_the_next(half: int) -> None:
    old, new = record.pack(1, VALUES), record.pack(1, [each + 1 for each in VALUES])
    with pytest.raises(ValueError, match="not a whole record"):
        record.unpack(new[:half] + old[half:])


def test_the_cells_of_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    data = record.pack(1, VALUES)
    monkeypatch.setattr(record, "_LAYOUT", record._LAYOUT ^ 1)
    with pytest.raises(ValueError, match="another release"):
        record.unpack(data)


@given(st.binary(max_size=record.SIZE + 8))
def test_garbage(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  and nothing else
        record.unpack(data)
