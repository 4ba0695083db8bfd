"""Bracket expressions: what POSIX reads in them, which is not what Python would."""

import pytest

from opensmtpd.table.matching.brackets import read_bracket


def members(pattern: str, *, caseless: bool = False) -> str:
    """Return the ASCII characters that a bracket expression holds."""
    found, end = read_bracket(pattern, 0, caseless=caseless)
    assert end == len(pattern)
    assert found < 1 << 256
    return "".join(chr(byte) for byte in range(128) if found >> byte & 1)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[abc]", "abc"),
        ("[a-c]", "abc"),
        ("[a-cx-z]", "abcxyz"),
        ("[]abc]", "]abc"),
        ("[a-]", "-a"),
        ("[-a]", "-a"),
        ("[---]", "-"),
        ("[+--]", "+,-"),
        ("[--/]", "-./"),
        ("[]-_]", "]^_"),
        ("[a^]", "^a"),
        (r"[\]", "\\"),
        (r"[\d]", "\\d"),
        (r"[\-\.]", ".\\"),
        (r"[[-\]", "[\\"),
        ("[[a]", "[a"),
        ("[[:digit:]]", "0123456789"),
        ("[[:digit:]a[:blank:]-]", "\t -0123456789a"),
        ("[[:xdigit:]]", "0123456789ABCDEFabcdef"),
        ("[[:space:]]", "\t\n\v\f\r "),
        ("[[:punct:]]", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        ("[[=a=]]", "a"),
        ("[[.-.]]", "-"),
        ("[[.].]]", "]"),
        ("[[.a.]-[.c.]]", "abc"),
        ("[&&a||b]", "&ab|"),
    ],
)
def test_members(pattern: str, expected: str) -> None:
    assert members(pattern) == "".join(sorted(expected))


@pytest.mark.parametrize(
    ("pattern", "absent"),
    [("[^abc]", "abc"), ("[^]a]", "]a"), ("[^-a]", "-a"), ("[^^]", "^"), ("[^[:upper:]]", "ABC")],
)
def test_negated(pattern: str, absent: str) -> None:
    assert not set(absent) & set(members(pattern))
    assert "z" in members(pattern)


def test_it_ends_where_it_ends() -> None:
    assert read_bracket("x[a]]b]", 1) == (1 << ord("a"), 4)


def test_bytes_above_ascii() -> None:
    assert read_bracket("[\xe9]", 0) == (1 << 0xE9, 3)
    assert read_bracket("[\x80-\xff]", 0) == ((1 << 256) - (1 << 128), 5)
    assert read_bracket("[^\x01-\xff]", 0) == (1, 6)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[az]", "AZ"),
        ("[A-z]", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),  # as in glibc: [A-Z]
        ("[[:lower:]]", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("[[.a.][=b=]]", "AB"),
        ("[a_1]", "1A_"),
    ],
)
def test_letters_are_read_as_upper_case_where_case_does_not_matter(
    pattern: str, expected: str
) -> None:
    assert members(pattern, caseless=True) == "".join(sorted(expected))


def test_a_range_that_is_none_in_upper_case() -> None:
    with pytest.raises(ValueError, match=r"a range between brackets that is none"):
        read_bracket("[_-a]", 0, caseless=True)


@pytest.mark.parametrize(
    "pattern",
    [
        "[",
        "[]",
        "[^]",
        "[a",
        "[a-",
        "[z-a]",
        "[a-c-e]",
        "[a--]",
        "[[:alpha:]",
        "[[:alpha:]-z]",
        "[a-[:alpha:]]",
        "[[=a=]-c]",
        "[[:letters:]]",
        "[[:ALPHA:]]",
        "[[:alpha]",
        "[[.hyphen.]]",
        "[[==]]",
        "[[.]",
        "[[:<:]]",
    ],
)
def test_unreadable(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_bracket(pattern, 0)
