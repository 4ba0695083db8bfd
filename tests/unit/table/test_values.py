"""Services and the values that tables answer with."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import DecisionError
from opensmtpd.table import VALUE_MAX, Service
from opensmtpd.table.values import encode, valid


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("alice", b"alice"),
        ("|/bin/x, :include:/etc/list", b"|/bin/x, :include:/etc/list"),
        ("caf\xe9", b"caf\xc3\xa9"),
        ("\udcff\udc80", b"\xff\x80"),
        (" \t", b" \t"),
        ("x" * 2047, b"x" * 2047),
        ("\xe9" * 1023, b"\xc3\xa9" * 1023),
        (Service.ALIAS, b"alias"),
    ],
)
def test_values_that_smtpd_takes(value: str, raw: bytes) -> None:
    assert encode(value) == raw
    assert valid(value) == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "the value is empty"),
        ("a\nb", "the value holds a line end or a NUL"),
        ("a\n", "the value holds a line end or a NUL"),
        ("a\r", "the value holds a line end or a NUL"),
        ("\0", "the value holds a line end or a NUL"),
        ("x" * 2048, "the value has 2048 bytes, and smtpd takes 2047"),
        ("\xe9" * 1024, "the value has 2048 bytes, and smtpd takes 2047"),
        ("\udcff" * 2048, "the value has 2048 bytes, and smtpd takes 2047"),
        ("\ud800", "the value is no text"),  # half of a surrogate pair
        (b"alice", "a value is a str, not bytes"),
        (None, "a value is a str, not NoneType"),
        (True, "a value is a str, not bool"),
        (["alice"], "a value is a str, not list"),
    ],
)
def test_values_that_smtpd_cannot_take(value: Any, reason: str) -> None:
    for function in (encode, valid):
        with pytest.raises(DecisionError) as caught:
            function(value)
        assert str(caught.value) == reason


@given(st.binary(min_size=1, max_size=VALUE_MAX))
def test_any_other_bytes_come_out_as_they_are(raw: bytes) -> None:
    value = raw.translate(None, b"\n\r\0") or b"x"
    assert encode(value.decode("utf-8", "surrogateescape")) == value


@given(st.text(st.characters()))
def test_whatever_the_text_it_is_one_line_or_refused(value: str) -> None:
    try:
        raw = encode(value)
    except DecisionError:
        return
    assert 0 < len(raw) <= VALUE_MAX
    assert not set(raw) & set(b"\n\r\0")
