"""Replies to the client that a milter words: one line comes out, or nothing."""

import pytest

from opensmtpd.errors import ProtocolError
from opensmtpd.filter import REPLY_MAX, Reject
from opensmtpd.mail.milter.reply_text import read_code


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"451 4.7.1 Greylisting in action\0", 451, "4.7.1 Greylisting in action"),
        (b"451 4.7.1 no NUL behind it", 451, "4.7.1 no NUL behind it"),
        (b"550 no status code\0", 550, "no status code"),
        (b"421 4.3.2\0", 421, "4.3.2 Service unavailable, try again later"),
        (b"554 \0", 554, "5.7.1 Command rejected"),
        (b"450 \0", 450, "4.7.1 Service unavailable, try again later"),
        (b"599  two  spaces \0", 599, "two  spaces"),
        (b"550 a\tb\0", 550, "a b"),
        (b"550 5.7.1 100%% sure, 50% not%%%\0", 550, "5.7.1 100% sure, 50 not%"),
        ("550 5.7.1 schädlich\0".encode(), 550, "5.7.1 sch??dlich"),
        (b"550 5.7.1 for \x01\x1b[0m.example\x7f\0", 550, "5.7.1 for ??[0m.example?"),
        (b"550-\x02\r\n550 5.7.1 x\0", 550, "5.7.1 ? x"),
        (b"550 5.1 is no status code\0", 550, "5.1 is no status code"),
        (b"550 4.11.1234 neither\0", 550, "4.11.1234 neither"),
        (b"550-5.7.1 one\r\n550 5.7.1 two\0", 550, "5.7.1 one two"),
        (b"451-4.0.0 a\r\n451-4.0.0 b\r\n451 4.0.0 c\0", 451, "4.0.0 a b c"),
        (b"550-no status\r\n550 here\0", 550, "no status here"),
        (b"550-\r\n550 5.7.1\0", 550, "5.7.1 Command rejected"),
    ],
)
def test_one_line(data: bytes, code: int, text: str) -> None:
    found = read_code(data)
    assert found == (code, text)
    assert Reject(*found).text == text


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0", b"4", b"451", b"451\0", b"451\t4.7.1 x\0", b"45 1 x\0", b" 451 x\0"),
        *(b"250 2.0.0 Ok\0", b"354 go\0", b"650 x\0", b"4a1 x\0", b"\xb4\xb5\xb1 x\0"),
        *(b"550 4.7.1 other class\0", b"451 5.7.1 other class\0", b"451 2.0.0 other class\0"),
        *(b"550 a\nb\0", b"550 a\rb\0", b"550 a\0b\0"),
        *(b"550 x\0\0", b"550 x\r\n\0", b"550-x\0", b"550-x\r\n\0", b"550 x\r\n550 y\0"),
        *(b"550-x\r\n551 y\0", b"550-x\r\n450 y\0", b"550-x\n550 y\0", b"550-x\r\ny\0"),
        *(b"550-5.7.1 x\r\n550 4.7.1 y\0", b"550-x\r\n\r\n550 y\0", b"550-x\r\r\n550 y\0"),
        b"550 5.7.1 x\r\n250 2.0.0 smuggled\0",
    ],
)
def test_garbage(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_code(data)


def test_what_is_too_long_is_cut() -> None:
    lines = [b"550-5.7.1 " + b"x" * 980] * 31 + [b"550 5.7.1 end\0"]
    code, text = read_code(b"\r\n".join(lines))
    assert (code, len(text)) == (550, REPLY_MAX - 4)
    assert text == "5.7.1 " + "x" * 500
