"""Tag lists and the values in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.verify.tags import base64, compact, number, required, tag_list, words
from unit.support.perm_error import any_perm_error, perm_error


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (b"v=1;a=b", {b"v": b"1", b"a": b"b"}),
        (b" v = 1 ;\n\ta\t=\n b ; ", {b"v": b"1", b"a": b"b"}),
        (b"p=;", {b"p": b""}),
        (b"n=a = b\n\tc", {b"n": b"a = b\n\tc"}),
        (b"A=1; a=2", {b"A": b"1", b"a": b"2"}),
        ("n=käse".encode(), {b"n": "käse".encode()}),
        (b"", {}),
    ],
)
def test_lists(text: bytes, tags: dict[bytes, bytes]) -> None:
    assert tag_list(text) == tags


@pytest.mark.parametrize(
    "text",
    [
        *(b"v", b"v=1;;a=2", b";v=1", b"=1", b"1a=2", b"a-b=1", b"v=1; and text", b"a b=1"),
        *(b"v=1\r", b"v=\0", b"v=\x7f", b"v=1;\r"),
    ],
)
def test_what_is_no_list(text: bytes) -> None:
    with perm_error("not a list of tags"):
        tag_list(text)


def test_a_tag_twice() -> None:
    with perm_error("aaaaaaaaaaaaaaaaaaaa= twice"):
        tag_list(b"a" * 99 + b"=1; b=2; " + b"a" * 99 + b"=1")


@given(st.binary() | st.text("ab=; \n\t\r", max_size=30).map(str.encode))
def test_no_text_raises_anything_else(text: bytes) -> None:
    with any_perm_error():
        tags = tag_list(text)
        # Written again, the list is the same one.
        assert tag_list(b";".join([name + b"=" + tags[name] for name in tags])) == tags


def test_more_than_a_list_may_have() -> None:
    assert len(tag_list(b";".join(b"a%d=" % at for at in range(100)) + b";")) == 100
    with perm_error("more than 100 tags"):
        tag_list(b";" * 101)
    assert len(tag_list(b"a=" + b"b" * 65534)[b"a"]) == 65534
    with perm_error("more than 65536 octets of tags"):
        tag_list(b"a=" + b"b" * 65535)


def test_more_than_a_value_may_have() -> None:
    assert len(words(b":" * 999)) == 1000
    with perm_error("more than 1000 words in a tag"):
        words(b":" * 1000)
    assert base64({b"b": b"AAAA " * 1024}, b"b") == bytes(3072)
    with perm_error("b= is longer than 4096 characters"):
        base64({b"b": b"AAAA" * 1024 + b"AA"}, b"b")


def test_a_required_tag() -> None:
    assert required({b"v": b"1"}, b"v") == b"1"
    with perm_error("v= empty"):
        required({b"v": b""}, b"v")
    with perm_error("v= missing"):
        required({}, b"v")


def test_words_and_white_space() -> None:
    assert words(b"a : b\n\t:c") == [b"a", b"b", b"c"]
    assert words(b"") == [b""]
    assert compact(b" a\n\tb c ") == b"abc"


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (b"AAEC", b"\0\1\2"),
        (b"A A\n\tE C", b"\0\1\2"),
        (b"AAE=", b"\0\1"),
        (b"AAE", b"\0\1"),
        (b"AA==", b"\0"),
        (b"+/+/", b"\xfb\xff\xbf"),
    ],
)
def test_base64(value: bytes, data: bytes) -> None:
    assert base64({b"b": value}, b"b") == data


@pytest.mark.parametrize(
    "value", [b"A", b"AAECA", b"A=", b"====", b"AA-_", b"AA=A", b"AA===", b"!"]
)
def test_what_is_no_base64(value: bytes) -> None:
    with perm_error("bh= is no base64"):
        base64({b"bh": value}, b"bh")


def test_numbers() -> None:
    assert number({}, b"l", 3) is None
    assert number({b"l": b"007"}, b"l", 3) == 7
    for value in (b"", b"-1", b"+1", b"1.5", b"1 2", b"1000", "²".encode("latin-1"), b"x"):
        with perm_error("l= is no number of at most 3 digits"):
            number({b"l": value}, b"l", 3)
