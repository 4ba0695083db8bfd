"""The two forms of socketmap on the wire, whole and byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.socketmap.codec import REPLY_MAX, Lines, Netstrings, ReplyTooLong
from opensmtpd.errors import ServerLost

SIZES = pytest.mark.parametrize("size", [1, 2, 7, 1_000_000], ids=["1", "2", "7", "whole"])
Form = type[Netstrings] | type[Lines]


def fed(form: Form, data: bytes, size: int) -> bytes | None:
    """Return the reply when bytes came in pieces; nothing may come before the last one."""
    replies = [form.reply(data[:end]) for end in range(size, len(data), size)]
    assert replies == [None] * len(replies)
    return form.reply(data)


@pytest.mark.parametrize(
    ("form", "name", "key", "question"),
    [
        (Netstrings, "virtual", "bob@example.org", b"23:virtual bob@example.org,"),
        (Netstrings, "m", "", b"2:m ,"),
        (Netstrings, "m", "a b|c,\n\udcff", b"10:m a b|c,\n\xff,"),
        (Netstrings, "m", "ä", "4:m ä,".encode()),
        (Netstrings, "two words", "a", None),
        (Lines, "aliases", "bob", b"aliases bob\n"),
        (Lines, "two words", "a b|c\udcff\r", b"two words a b|c\xff\r\n"),
        (Lines, "aliases", "bob\naliases root", None),
        (Lines, "aliases", "bob\n", None),
        (Lines, "a\nb", "c", None),
    ],
)
def test_questions(form: Form, name: str, key: str, question: bytes | None) -> None:
    assert form.question(name, key) == question


@SIZES
@pytest.mark.parametrize(
    ("form", "data", "reply"),
    [
        (Netstrings, b"11:OK a\nb, c\r\0,", b"OK a\nb, c\r\0"),
        (Netstrings, b"0:,", b""),
        (Netstrings, b"000000002:OK,", b"OK"),
        (Lines, b"OK alice\n", b"OK alice"),
        (Lines, b"OK alice\r\n", b"OK alice"),
        (Lines, b"OK a\rb\r\r\n", b"OK a\rb\r"),
        (Lines, b"\n", b""),
    ],
)
def test_replies(form: Form, data: bytes, reply: bytes, size: int) -> None:
    assert fed(form, data, size) == reply


@SIZES
@pytest.mark.parametrize(
    "data",
    [b"x", b":", b",", b"-1:", b"1234567890", b"1 2:", b" 1:", b"2:OK;", b"2:OKAY", b"OK a\n"],
)
def test_garbage_in_netstrings(data: bytes, size: int) -> None:
    with pytest.raises(ServerLost):
        fed(Netstrings, data, size)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (Netstrings, b"2:OK,x"),
        (Netstrings, b"2:OK,2:OK,"),
        (Lines, b"OK a\nx"),
        (Lines, b"OK a\n\n"),
    ],
)
def test_more_than_a_reply(form: Form, data: bytes) -> None:
    with pytest.raises(ServerLost):
        form.reply(data)


def test_the_longest_replies() -> None:
    text = b"x" * REPLY_MAX
    assert fed(Netstrings, b"%d:%s," % (REPLY_MAX, text), 9999) == text
    assert fed(Lines, text + b"\n", 9999) == text


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (Netstrings, b"100001:"),
        (Netstrings, b"999999999:"),
        (Lines, b"x" * (REPLY_MAX + 1)),
        (Lines, b"x" * (REPLY_MAX + 1) + b"\n"),
    ],
)
def test_longer_ones_are_refused_at_once(form: Form, data: bytes) -> None:
    with pytest.raises(ReplyTooLong, match="a reply of more than 100000 bytes"):
        form.reply(data)


@given(st.binary(max_size=300))
def test_any_bytes_pass_in_netstrings(text: bytes) -> None:
    assert fed(Netstrings, b"%d:%s," % (len(text), text), 1) == text


@given(st.binary(max_size=60), st.sampled_from([Netstrings, Lines]))
def test_a_reply_is_there_with_its_last_byte(data: bytes, form: Form) -> None:
    """Of what is no reply some beginning is refused, or all is too little."""

    def outcome(data: bytes) -> object:
        try:
            return form.reply(data)
        except ServerLost:
            return "lost"

    outcomes = [outcome(data[:end]) for end in range(len(data) + 1)]
    complete = next((n for n, each in enumerate(outcomes) if each is not None), len(data))
    assert outcomes[:complete] == [None] * complete
    assert set(outcomes[complete + 1 :]) <= {"lost"}


TEXTS = st.text(st.characters(codec="utf-8"), max_size=50)


@given(TEXTS.filter(lambda name: " " not in name), TEXTS)
def test_a_netstring_is_read_as_it_was_written(name: str, key: str) -> None:
    question = Netstrings.question(name, key)
    assert question is not None
    assert Netstrings.reply(question) == f"{name} {key}".encode()


@given(TEXTS, TEXTS)
def test_a_line_is_one(name: str, key: str) -> None:
    question = Lines.question(name, key)
    if "\n" in name + key:
        assert question is None
    else:
        assert question == f"{name} {key}\n".encode()
