"""Numbers as C programs read them."""

import pytest

from opensmtpd.backends.strtonum import strtonum


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("60", 60), ("+60", 60), (" \t60", 60), ("-0", 0), ("0" * 50 + "7", 7), ("99", 99)],
)
def test_numbers(text: str, number: int) -> None:
    assert strtonum(text, 99) == number


@pytest.mark.parametrize(
    "text", ["", " ", "100", "-1", "6 ", "6.0", "0x6", "six", "++6", "\u0666", "9" * 40, "1\n2"]
)
def test_what_is_no_number(text: str) -> None:
    assert strtonum(text, 99) is None
