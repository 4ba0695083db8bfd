"""Rates as an administrator writes them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.state import steps
from opensmtpd.backends.state.steps import Rate
from opensmtpd.mail.limit.rates import duration, in_grains, number, rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200/1h", Rate(200, 3600.0, 200)),
        ("1/1s", Rate(1, 1.0, 1)),
        ("60/m", Rate(60, 60.0, 60)),
        ("10M/d", Rate(10 << 20, 86400.0, 10 << 20)),
        ("3K/30s", Rate(3072, 30.0, 3072)),
        ("1G/7d", Rate(1 << 30, 7 * 86400.0, 1 << 30)),
        ("007/010m", Rate(7, 600.0, 7)),
        ("1/400d", Rate(1, 400 * 86400.0, 1)),
    ],
)
def test_rates(text: str, expected: Rate) -> None:
    assert rate(text) == expected


def test_another_burst() -> None:
    assert rate("200/1h", 20) == Rate(200, 3600.0, 20)
    assert rate("200/1h", 1) == Rate(200, 3600.0, 1)
    assert rate("1/1h", 50) == Rate(1, 3600.0, 50)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no rate"),
        ("200", "'200' is not a rate such as 200/1h"),
        ("200 per hour", "'200 per hour' is not a rate such as 200/1h"),
        ("/1h", "'' is not a number above 0, such as 20 or 10M"),
        ("0/1h", "'0' is not a number above 0, such as 20 or 10M"),
        ("-5/1h", "'-5' is not a number above 0, such as 20 or 10M"),
        ("1.5/1h", "'1.5' is not a number above 0, such as 20 or 10M"),
        ("10k/1h", "'10k' is not a number above 0, such as 20 or 10M"),
        ("10MB/1h", "'10MB' is not a number above 0, such as 20 or 10M"),
        ("\u0665/1h", "'\u0665' is not a number above 0, such as 20 or 10M"),
        ("1234567890123/1h", "'1234567890123' is not a number above 0, such as 20 or 10M"),
        ("200/", "'' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("200/1", "'1' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("200/0h", "'0h' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("200/1w", "'1w' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("200/1H", "'1H' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("200/1h/2", "'1h/2' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("200/401d", "'401d' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("200/\u0661h", "'\u0661h' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("999999999999G/1d", "1073741823998926258176 is not a whole number from 1 to 10{15}"),
    ],
)
def test_what_is_no_rate(text: str, words: str) -> None:
    expected = re.escape(words).replace(r"10\{15\}", "1" + "0" * 15)
    with pytest.raises(ValueError, match=f"^{expected}$"):
        rate(text)


def test_a_burst_that_no_store_can_keep() -> None:
    assert rate("1/1d", 400) == Rate(1, 86400.0, 400)
    with pytest.raises(ValueError, match="the rate fills up in more than 34560000 seconds"):
        rate("1/1d", 401)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("10m", 600.0), ("h", 3600.0), ("7d", 604800.0), ("400d", 34_560_000.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def test_numbers() -> None:
    assert [number(text) for text in ("1", "2K", "3M", "4G")] == [1, 2048, 3 << 20, 4 << 30]


@given(st.text(alphabet="0159KMG/smhd x\u0663", max_size=8) | st.text(max_size=8))
def test_any_text_is_a_rate_or_none(text: str) -> None:
    try:
        found = rate(text)
    except ValueError as error:
        words = str(error)
    else:
        words = "a rate"
        assert found.units > 0
        assert found.seconds > 0
        assert found.burst == found.units
        assert steps.allow(b"", found, found.burst, 0.0) is not None
    assert words.isprintable()


# --- grains ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "coarse", "grain"),
    [
        ("1K/1d", Rate(1024, 86400.0, 1024), 1),
        ("10000/1s", Rate(10000, 1.0, 10000), 1),
        ("20000/1s", Rate(10000, 1.0, 10000), 2),
        ("1G/1s", Rate(9999, 1.0, 10000), 107375),
    ],
)
def test_grains_of_bytes(text: str, coarse: Rate, grain: int) -> None:
    assert in_grains(rate(text)) == (coarse, grain)


def test_the_burst_of_grains() -> None:
    assert in_grains(rate("20000/1s", 1)) == (Rate(10000, 1.0, 1), 2)
    assert in_grains(rate("20000/1s", 3)) == (Rate(10000, 1.0, 2), 2)


@given(
    units=st.integers(1, 10**13),
    time=st.sampled_from(["s", "30s", "m", "h", "d", "30d"]),
)
def test_grains_change_no_rate_by_more_than_a_hundredth(units: int, time: str) -> None:
    written = rate(f"{units // 1024 or 1}K/{time}")
    coarse, grain = in_grains(written)
    wanted = written.units / written.seconds
    kept = grain * steps.SECOND / coarse.interval
    assert 0.98 * wanted < kept <= wanted * 1.000_001
    assert written.burst <= coarse.burst * grain < written.burst + grain
