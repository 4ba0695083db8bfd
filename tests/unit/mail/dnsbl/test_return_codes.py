"""Return codes of DNS lists and their masks."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dnsbl.return_codes import complaint, listed, mask


@pytest.mark.parametrize(
    ("text", "codes", "others"),
    [
        ("127.0.0.2", "127.0.0.2", "127.0.0.1 127.0.0.20 127.0.1.2 127.2.0.0"),
        ("127.0.0.[2-4]", "127.0.0.2 127.0.0.3 127.0.0.4", "127.0.0.1 127.0.0.5 127.0.1.3"),
        (
            "127.0.0.[2,4,10-11]",
            "127.0.0.2 127.0.0.4 127.0.0.10 127.0.0.11",
            "127.0.0.3 127.0.0.9 127.0.0.12 127.0.0.1",
        ),
        ("127.0.[0-20].[0-3]", "127.0.0.0 127.0.20.3 127.0.9.1", "127.0.21.3 127.0.20.4"),
        ("127.0.0.[7]", "127.0.0.7", "127.0.0.6 127.0.0.8"),
        ("[127].0.0.[9-9]", "127.0.0.9", "127.0.0.8"),
        ("127.[0-255].[0-255].[0-255]", "127.0.0.0 127.255.255.255 127.1.2.3", "128.0.0.1"),
    ],
)
def test_a_mask_matches_its_codes_and_no_others(text: str, codes: str, others: str) -> None:
    assert [code for code in codes.split() if not mask(text).matches(code)] == []
    assert [code for code in others.split() if mask(text).matches(code)] == []


FOUR = "a mask has four parts"
NUMBER = "a part of a mask is a number from 0 to 255"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", FOUR),
        ("2", FOUR),
        ("127.0.0", FOUR),
        ("127.0.0.2.3", FOUR),
        ("2001:db8::1", FOUR),
        ("10.0.0.2", "a mask begins with 127"),
        ("[126-127].0.0.2", "a mask begins with 127"),
        ("127.0.0.", NUMBER),
        ("127.0.0.256", NUMBER),
        ("127.0.0.02", NUMBER),
        ("127.0.0.-2", NUMBER),
        ("127.0.0.2-4", NUMBER),
        ("127.0.0.2,4", NUMBER),
        ("127.0.0.*", NUMBER),
        ("127.0.0.\u0662", NUMBER),
        ("127.0.0. 2", NUMBER),
        ("127.0.0.2\n", NUMBER),
        ("127.0.0.[]", NUMBER),
        ("127.0.0.[2", NUMBER),
        ("127.0.0.2]", NUMBER),
        ("127.0.0.[2;4]", NUMBER),
        ("127.0.0.[2,]", NUMBER),
        ("127.0.0.[2-]", NUMBER),
        ("127.0.0.[-4]", NUMBER),
        ("127.0.0.[2-3-4]", NUMBER),
        ("127.0.0.[[2]]", NUMBER),
        ("127.0.0.[4-2]", "4-2 is no range"),
    ],
)
def test_what_is_no_mask_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mask(text)
    assert caught.value.message == f"{text!r}: {message}"


RANGES = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=5)


@given(RANGES, st.integers(0, 255))
def test_a_bracket_is_the_union_of_its_ranges(pairs: list[tuple[int, int]], octet: int) -> None:
    ranges = [sorted(pair) for pair in pairs]
    text = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
    expected = any(low <= octet <= high for low, high in ranges)
    assert mask(f"127.0.0.[{text}]").matches(f"127.0.0.{octet}") == expected


@given(st.text())
def test_any_text_is_a_mask_or_a_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        mask(f"127.0.0.{text}")
    with contextlib.suppress(ConfigError):
        mask(text)


def test_without_a_mask_all_codes_count_but_one() -> None:
    assert listed(["127.0.0.1"], []) == []
    assert listed(["127.0.0.1", "127.0.0.2", "127.9.9.9"], []) == ["127.0.0.2", "127.9.9.9"]


def test_masks_choose_codes() -> None:
    masks = [mask("127.0.0.1"), mask("127.0.0.[4-7]")]
    assert listed(["127.0.0.1", "127.0.0.2", "127.0.0.5"], masks) == ["127.0.0.1", "127.0.0.5"]
    assert listed(["127.0.0.2"], masks) == []


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], None),
        (["127.0.0.2", "127.255.254.255"], None),
        (["127.255.255.252"], "it refuses us with 127.255.255.252"),
        (["127.0.0.2", "127.255.255.0"], "it refuses us with 127.255.255.0"),
        (["203.0.113.80"], "it answers with an address, 203.0.113.80"),
        (["127.0.0.2", "12.7.0.0"], "it answers with an address, 12.7.0.0"),
    ],
)
def test_what_is_no_answer(codes: list[str], expected: str | None) -> None:
    assert complaint(codes) == expected
