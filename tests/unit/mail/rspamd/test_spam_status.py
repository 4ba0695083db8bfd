"""The texts are those that the filter in Go writes: fmt's %v and %.3f of a float32."""

from typing import Any

import pytest

from opensmtpd.mail.rspamd.spam_status import score, status


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, b"0"),
        (-0.0, b"-0"),
        (15, b"15"),
        (15.0, b"15"),
        (6.1, b"6.1"),
        (-3.25, b"-3.25"),
        (0.1, b"0.1"),
        (100.0, b"100"),
        (12.345678901, b"12.345679"),
        (1 / 3, b"0.33333334"),
        (99.9, b"99.9"),
        (0.001, b"0.001"),
        (0.0001, b"0.0001"),
        (0.00001, b"1e-05"),
        (0.0000123, b"1.23e-05"),
        (123456.0, b"123456"),
        (999999.0, b"999999"),
        (999999.9, b"999999.9"),
        (1e6, b"1e+06"),
        (-1234567.0, b"-1.234567e+06"),
        (1e21, b"1e+21"),
        (9.9e29, b"9.9e+29"),
        (16777217.0, b"1.6777216e+07"),
        (1e-50, b"0"),
        (1e-45, b"1e-45"),
    ],
)
def test_numbers_as_go_writes_them(value: float, text: bytes) -> None:
    assert score(value, value) == text + b" / " + text


def test_the_score_and_what_is_required() -> None:
    assert score(6.1, 15.0) == b"6.1 / 15"


def lines(*symbols: Any, value: float = 6.1) -> list[bytes]:
    return status(value, 15.0, [list(symbol) for symbol in symbols])


def test_a_line_of_tests() -> None:
    assert lines((b"TWO", 2.5), (b"ONE", -1.0), (b"THREE", 0.0)) == [
        b"Yes, score=6.100 required=15.000",
        b"\ttests=[ONE=-1.000, THREE=0.000, TWO=2.500]",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0005, b"0.001"), (0.0004999, b"0.000"), (2.0005, b"2.000"), (1.0005, b"1.000"),
     (12.3456, b"12.346"), (-0.0001, b"-0.000"), (1e9, b"1000000000.000")],
)  # fmt: skip
def test_three_digits_of_a_number_with_24_bits(value: float, text: bytes) -> None:
    assert lines((b"A", value), value=value) == [
        b"Yes, score=%s required=15.000" % text,
        b"\ttests=[A=%s]" % text,
    ]


def test_no_symbols() -> None:
    assert lines() == [b"Yes, score=6.100 required=15.000", b"\ttests=[]"]


def test_lines_are_folded() -> None:
    """There is no comma where a line ends, and none where it begins."""
    names = [b"SYMBOL_%02d" % number for number in range(10)]
    assert lines(*((name, 1.0) for name in reversed(names))) == [
        b"Yes, score=6.100 required=15.000",
        b"\ttests=[SYMBOL_00=1.000, SYMBOL_01=1.000, SYMBOL_02=1.000",
        b"\tSYMBOL_03=1.000, SYMBOL_04=1.000, SYMBOL_05=1.000, SYMBOL_06=1.000",
        b"\tSYMBOL_07=1.000, SYMBOL_08=1.000, SYMBOL_09=1.000]",
    ]


@pytest.mark.parametrize(
    ("length", "folded"),
    [
        (55, [b"\ttests=[" + b"A" * 55 + b"=1.000]"]),
        (56, [b"\ttests=[", b"\t" + b"A" * 56 + b"=1.000]"]),
        (100, [b"\ttests=[", b"\t" + b"A" * 100 + b"=1.000]"]),
    ],
)
def test_where_the_first_symbol_is_long(length: int, folded: list[bytes]) -> None:
    """68 bytes are counted without the comma that is still to come."""
    assert lines((b"A" * length, 1.0))[1:] == folded


@pytest.mark.parametrize(
    ("length", "folded"),
    [
        (48, [b"\ttests=[A=1.000, " + b"B" * 48 + b"=1.000]"]),
        (49, [b"\ttests=[A=1.000", b"\t" + b"B" * 49 + b"=1.000]"]),
    ],
)
def test_where_the_second_symbol_is_long(length: int, folded: list[bytes]) -> None:
    assert lines((b"A", 1.0), (b"B" * length, 1.0))[1:] == folded


def test_names_of_symbols_do_not_end_a_line() -> None:
    assert lines((b"A\r\nX-Spam: no\0\t", 1.0), (b"\xff,]", 2.0))[1:] == [
        b"\ttests=[AX-Spam: no\t=1.000, \xff,]=2.000]",
    ]


def test_symbols_in_the_order_of_their_bytes() -> None:
    assert lines((b"b", 1), (b"B", 1), (b"a_", 1), (b"a", 1), (b"\xc3\xa4", 1))[1:] == [
        b"\ttests=[B=1.000, a=1.000, a_=1.000, b=1.000, \xc3\xa4=1.000]",
    ]
