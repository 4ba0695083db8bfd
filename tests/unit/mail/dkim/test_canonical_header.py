"""Header fields: found, canonicalized, and copied."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim import canonical_header
from opensmtpd.mail.dkim.canonical_header import copied, finder, relaxed, relaxed_value, simple


def header(*lines: bytes) -> bytes:
    return b"\n" + b"\n".join(lines)


def test_rfc_6376_example() -> None:
    """Section 3.4.5: ``A: X`` and ``B : Y <HTAB><CRLF> <HTAB> Z <SP><SP>``."""
    a, b = finder((b"a", b"b"))(header(b"A: X", b"B : Y\t", b"\tZ  "))
    assert relaxed(a) == b"a:X"
    assert relaxed(b) == b"b:Y Z"
    assert simple(a) == b"A: X"
    assert simple(b) == b"B : Y\t\r\n\tZ  "


def test_only_whole_names_in_any_case() -> None:
    find = finder((b"from", b"x+y"))
    assert find(
        header(b"FROM:a", b"from \t: b", b"From-X: c", b"XFrom: d", b"x+y:e", b"xxy:f")
    ) == [
        (b"FROM", b"", b"a"),
        (b"from", b" \t", b" b"),
        (b"x+y", b"", b"e"),
    ]


def test_folded_lines_belong_to_their_field() -> None:
    find = finder((b"to",))
    found = find(
        header(b" to: folded onto nothing", b"Cc: a,", b" to: b", b"To: c", b"\td", b" ", b"X:")
    )
    assert found == [(b"To", b"", b" c\n\td\n ")]


def test_no_header_at_all() -> None:
    assert finder((b"from",))(b"\n") == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", b""),
        (b"  ", b""),
        (b"a", b"a"),
        (b" a \t b\n\t c  ", b"a b c"),
        (b"\n \n a", b"a"),  # the C filter exits on this one
        (b" a\n ", b"a"),
        (b"a\n  \n b", b"a b"),
        # RFC 6376 section 2.8 knows two kinds of white space; these are none of them.
        (b" a\r b\r", b"a\r b\r"),
        (b"\r a", b"\r a"),
        (b"\v a \f", b"\v a \f"),
        (b"a\x85\xa0b", b"a\x85\xa0b"),
    ],
)
def test_relaxed_value(value: bytes, expected: bytes) -> None:
    assert relaxed_value(value) == expected


@given(
    st.lists(
        st.sampled_from([b" ", b"\t", b"\n ", b"\n\t", b"\r", b"\f", b"a", b":", b"\0", b"\xff"])
    )
)
def test_relaxed_value_like_the_rfc_says_it(parts: list[bytes]) -> None:
    value = b"".join(parts)
    unfolded = value.replace(b"\n", b"")
    assert relaxed_value(value) == re.sub(rb"[ \t]+", b" ", unfolded).strip(b" ")


def test_copied_encodes_all_that_could_be_mistaken() -> None:
    assert copied([b"A: b;c=d|e\xff\x01~"]) == b"A:=20b=3Bc=3Dd=7Ce=FF=01~=0D=0A"


def test_copied_marks_fields_but_not_folds() -> None:
    lines = [b"A: b", b"\tc", b"D:e", b" f"]
    assert copied(lines) == b"A:=20b=0D=0A=09c=0D=0A|D:e=0D=0A=20f=0D=0A"


def test_copied_nothing() -> None:
    assert copied([]) == b""


def test_text_is_the_field_as_it_came() -> None:
    assert canonical_header.text((b"To", b" ", b" a,\n b")) == b"To : a,\n b"
