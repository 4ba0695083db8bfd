"""Bracket expressions: what POSIX reads in them, which is not what Python would."""

import re

import pytest

from opensmtpd.table.matching.brackets import read_bracket


def members(pattern: str) -> str:
    """Return the ASCII characters that a bracket expression holds."""
    python, end = read_bracket(pattern, 0)
    assert end == len(pattern)
    return "".join(char for char in map(chr, range(128)) if re.fullmatch(python, char))


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
    assert read_bracket("x[a]]b]", 1) == (r"[\x61]", 4)


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
