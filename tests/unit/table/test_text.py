"""Bytes of the wire as text, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.table import lower, to_bytes, to_str

PAIRS = [
    (b"", ""),
    (b"alice", "alice"),
    (b"a\0b\n\x7f", "a\0b\n\x7f"),
    (b"caf\xc3\xa9", "caf\xe9"),
    (b"\xf0\x9f\x98\x80", "\U0001f600"),
    (b"\xff", "\udcff"),
    (b"a\xc3", "a\udcc3"),
    (b"\xc0\x80", "\udcc0\udc80"),  # NUL in two bytes, which is no UTF-8
    (b"\xed\xa0\x80", "\udced\udca0\udc80"),  # half of a surrogate pair, neither
]


@pytest.mark.parametrize(("raw", "text"), PAIRS)
def test_bytes_and_their_text(raw: bytes, text: str) -> None:
    assert to_str(raw) == text
    assert to_bytes(text) == raw


@given(st.binary())
def test_any_bytes_come_back(raw: bytes) -> None:
    assert to_bytes(to_str(raw)) == raw


@pytest.mark.parametrize("text", [chr(0xD800), "a" + chr(0xDFFF), chr(0xDC7F)])
def test_text_that_no_bytes_give(text: str) -> None:
    for function in (to_bytes, lower):
        with pytest.raises(UnicodeEncodeError):
            function(text)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", ""),
        ("Alice@Example.ORG", "alice@example.org"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("\xc9A", "\xc9a"),
        ("\u0130", "\u0130"),
        ("\u212a", "\u212a"),  # the sign of kelvin, whose lower case is a k
        ("\udcffZ\udcc9", "\udcffz\udcc9"),
    ],
)
def test_only_ascii_is_lowered(key: str, expected: str) -> None:
    assert lower(key) == expected


@given(st.binary().map(to_str))
def test_lowering_is_that_of_bytes(key: str) -> None:
    assert to_bytes(lower(key)) == to_bytes(key).lower()
    assert lower(lower(key)) == lower(key)
