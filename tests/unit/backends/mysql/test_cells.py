import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.mysql.cells import CellColumn, column, reader, shortest
from opensmtpd.errors import ServerLost
from unit.support import mysql_server

UNSIGNED, ZEROFILL = 32, 64
NOT_FIXED = 31


def read(type: int, raw: bytes, flags: int = 0, width: int = 0, decimals: int = 0) -> bytes:
    """Return the text of a cell, before which and behind which others stand."""
    text, end = reader(CellColumn(type, flags, width, decimals))(b"\xff" + raw + b"\xff", 1)
    assert end == 1 + len(raw)
    return text


def test_a_column() -> None:
    packet = mysql_server.column(type=3, flags=ZEROFILL, width=10, decimals=2)
    assert column(packet) == CellColumn(3, ZEROFILL, 10, 2)


def test_half_a_column() -> None:
    packet = mysql_server.column()
    for length in range(len(packet) - 2):  # two bytes of it mean nothing
        with pytest.raises(ServerLost):
            column(packet[:length])


@pytest.mark.parametrize("type", [0, 15, 16, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255])
def test_strings(type: int) -> None:
    assert read(type, b"\5a\nb\0c") == b"a\nb\0c"


def test_a_column_of_nothing_but_null() -> None:
    """``SELECT NULL`` has a type of its own, and no cell is ever read."""
    assert reader(CellColumn(6, 0, 0, 0)) is not None


@pytest.mark.parametrize(
    ("type", "layout", "least", "most"),
    [(1, "b", -(2**7), 2**7 - 1), (2, "h", -(2**15), 2**15 - 1), (3, "i", -(2**31), 2**31 - 1),
     (9, "i", -(2**23), 2**23 - 1), (8, "q", -(2**63), 2**63 - 1), (13, "h", 0, 2155)],
)  # fmt: skip
def test_whole_numbers(type: int, layout: str, least: int, most: int) -> None:
    for value in (least, -1, 0, 7, most):
        assert read(type, struct.pack(f"<{layout}", value)) == str(value).encode()


@pytest.mark.parametrize(("type", "size"), [(1, 1), (2, 2), (3, 4), (8, 8)])
def test_without_a_sign(type: int, size: int) -> None:
    assert read(type, b"\xff" * size, UNSIGNED) == str(256**size - 1).encode()


def test_filled_with_zeros() -> None:
    assert read(3, struct.pack("<I", 7), UNSIGNED | ZEROFILL, 10) == b"0000000007"
    assert read(5, struct.pack("<d", 1.5), UNSIGNED | ZEROFILL, 6, 2) == b"001.50"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, b"0"),
        (-0.0, b"-0"),
        (1.0, b"1"),
        (0.1, b"0.1"),
        (-2.5, b"-2.5"),
        (1e20, b"1e20"),
        (1e15, b"1e15"),
        (1e14, b"100000000000000"),
        (123456789012345678.0, b"1.2345678901234568e17"),
        (1234567890123456.5, b"1234567890123456.5"),
        (1.5e-7, b"0.00000015"),
        (1e-14, b"0.00000000000001"),
        (1e-15, b"0.000000000000001"),
        (1e-16, b"1e-16"),
        (1.7976931348623157e308, b"1.7976931348623157e308"),
        (5e-324, b"5e-324"),
        (float("inf"), b"0"),
        (float("nan"), b"0"),
    ],
)
def test_doubles(value: float, text: bytes) -> None:
    assert read(5, struct.pack("<d", value), decimals=NOT_FIXED) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, b"0.1"), (1e20, b"1e20"), (16777216.0, b"16777200"), (-1.5, b"-1.5")]
)
def test_floats_have_six_digits(value: float, text: bytes) -> None:
    assert read(4, struct.pack("<f", value), decimals=NOT_FIXED) == text


def test_a_fixed_number_of_decimals() -> None:
    assert read(5, struct.pack("<d", 2.675), decimals=2) == b"2.67"
    assert read(4, struct.pack("<f", -1), decimals=3) == b"-1.000"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_all_digits_that_a_number_needs(value: float) -> None:
    assert float(shortest(value)) == value


@pytest.mark.parametrize(
    ("type", "decimals", "raw", "text"),
    [
        (10, 0, b"\4\xe4\x07\x01\x02", b"2020-01-02"),
        (10, 0, b"\0", b"0000-00-00"),
        (12, 0, b"\0", b"0000-00-00 00:00:00"),
        (12, 0, b"\4\xe4\x07\x01\x02", b"2020-01-02 00:00:00"),
        (7, 0, b"\7\xe4\x07\x01\x02\x03\x04\x05", b"2020-01-02 03:04:05"),
        (7, 2, b"\7\xe4\x07\x01\x02\x03\x04\x05", b"2020-01-02 03:04:05.00"),
        (7, 3, b"\x0b\xe4\x07\x01\x02\x03\x04\x05\x40\xe2\x01\x00", b"2020-01-02 03:04:05.123"),
        (7, 6, b"\x0b\xe4\x07\x01\x02\x03\x04\x05\x40\xe2\x01\x00", b"2020-01-02 03:04:05.123456"),
        (11, 0, b"\0", b"00:00:00"),
        (11, 0, b"\x08\x00\x00\x00\x00\x00\x03\x04\x05", b"03:04:05"),
        (11, 0, b"\x08\x01\x04\x00\x00\x00\x03\x04\x05", b"-99:04:05"),
        (11, 1, b"\x0c\x00\x22\x00\x00\x00\x16\x3b\x3b\x40\xe2\x01\x00", b"838:59:59.1"),
    ],
)
def test_times(type: int, decimals: int, raw: bytes, text: bytes) -> None:
    assert read(type, raw, decimals=decimals) == text


@pytest.mark.parametrize(
    ("type", "raw"),
    [(1, b""), (3, b"\1\2\3"), (8, bytes(7)), (5, bytes(7)), (253, b"\5abcd"), (10, b"\4\1\2\3"),
     (11, b"\x0d" + bytes(13)), (12, b"\x0c" + bytes(12))],
)  # fmt: skip
def test_cells_that_are_none(type: int, raw: bytes) -> None:
    with pytest.raises(ServerLost):
        reader(CellColumn(type, 0, 0, 0))(raw, 0)


@pytest.mark.parametrize("type", [14, 17, 20, 242])
def test_types_that_nobody_sends(type: int) -> None:
    if type == 14:
        assert reader(CellColumn(type, 0, 0, 0))(b"\1a", 0) == (b"a", 2)
        return
    with pytest.raises(ServerLost):
        reader(CellColumn(type, 0, 0, 0))
