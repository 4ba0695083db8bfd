"""Replies of milters, as libmilter sends them, and garbage of all kinds."""

import pytest

from opensmtpd.errors import ProtocolError
from opensmtpd.mail.milter.frames import Frame
from opensmtpd.mail.milter.replies import (
    MODIFICATIONS,
    AddHeader,
    AddRecipient,
    ChangeHeader,
    ChangeSender,
    DeleteRecipient,
    InsertHeader,
    MilterReply,
    PlainReply,
    QuarantineMail,
    ReplaceBody,
    read_reply,
    refusal,
)
from opensmtpd.mail.milter.reply_text import ReplyCode


@pytest.mark.parametrize(
    ("letter", "data", "reply"),
    [
        (b"c", b"", PlainReply.CONTINUE),
        (b"a", b"", PlainReply.ACCEPT),
        (b"r", b"", PlainReply.REJECT),
        (b"t", b"", PlainReply.TEMPFAIL),
        (b"d", b"", PlainReply.DISCARD),
        (b"s", b"", PlainReply.SKIP),
        (b"p", b"", PlainReply.PROGRESS),
        (b"f", b"", PlainReply.CONN_FAIL),
        (b"4", b"", PlainReply.SHUTDOWN),
        (b"y", b"451 4.7.1 Later\0", ReplyCode(451, "4.7.1 Later")),
        (b"h", b"X-A\0 b\n\tc\xff\0", AddHeader(b"X-A", b" b\n\tc\xff")),
        (b"h", b"!~\0\0", AddHeader(b"!~", b"")),
        (b"i", b"\0\0\0\0X-A\0b\0", InsertHeader(0, b"X-A", b"b")),
        (b"i", b"\x7f\xff\xff\xffX-A\0b\0", InsertHeader(2147483647, b"X-A", b"b")),
        (b"m", b"\0\0\0\2X-A\0b\0", ChangeHeader(2, b"X-A", b"b")),
        (b"m", b"\0\0\0\0X-A\0\0", ChangeHeader(1, b"X-A", b"")),
        (b"b", b"", ReplaceBody(b"")),
        (b"b", b"a\0\r\nb", ReplaceBody(b"a\0\r\nb")),
        (b"+", b"<a@b>\0", AddRecipient(b"a@b")),
        (b"+", b"a@b\0", AddRecipient(b"a@b")),
        (b"2", b"<a@b>\0", AddRecipient(b"a@b")),
        (b"2", b"<a@b>\0NOTIFY=NEVER\0", AddRecipient(b"a@b", b"NOTIFY=NEVER")),
        (b"2", b"<a@b>\0A=1\0B=2\0", AddRecipient(b"a@b", b"A=1 B=2")),
        (b"-", b"<\xc3\xa4@b>\0", DeleteRecipient("ä@b".encode())),
        (b"e", b"<>\0", ChangeSender(b"")),
        (b"e", b"<a@b>\0SIZE=1\0", ChangeSender(b"a@b", b"SIZE=1")),
        (b"q", b"dmarc=fail\0", QuarantineMail("dmarc=fail")),
        (b"q", b"a\r\nX: b\xff", QuarantineMail("a??X: b?")),
        (b"q", b"\0", QuarantineMail("")),
    ],
)
def test_replies(letter: bytes, data: bytes, reply: MilterReply) -> None:
    assert read_reply(Frame(letter, data)) == reply


def test_unknown_letters() -> None:
    """The list of macros has a letter of its own, ``l``, which no milter sends."""
    for letter in set(range(256)) - set(b"cartdspf4yhimb+2-eq"):
        with pytest.raises(ProtocolError, match="an unknown reply"):
            read_reply(Frame(bytes([letter]), b""))


@pytest.mark.parametrize("letter", [b"c", b"a", b"r", b"t", b"d", b"s", b"p", b"f", b"4"])
@pytest.mark.parametrize("data", [b"\0", b"550 5.7.1 x\0"])
def test_data_where_none_belong(letter: bytes, data: bytes) -> None:
    with pytest.raises(ProtocolError, match="data in a reply"):
        read_reply(Frame(letter, data))


BAD_FIELDS = [
    *(
        b"",
        b"\0",
        b"X-A",
        b"X-A\0",
        b"X-A\0b",
        b"\0b\0",
        b"X-A\0b\0\0",
        b"X-A\0b\0c\0",
        b"X-A\0b\0c",
    ),
    *(b"X A\0b\0", b"X-A:\0b\0", b"X-A\n\0b\0", b" X-A\0b\0", b"X\xe4\0b\0", b"X\x7f\0b\0"),
]


@pytest.mark.parametrize("data", BAD_FIELDS)
@pytest.mark.parametrize("letter", [b"h", b"i", b"m"])
def test_fields_that_are_none(letter: bytes, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_reply(Frame(letter, (b"" if letter == b"h" else b"\0\0\0\1") + data))


@pytest.mark.parametrize("letter", [b"i", b"m"])
@pytest.mark.parametrize("index", [b"", b"\0", b"\x80\0\0\0", b"\xff\xff\xff\xff"])
def test_indices_that_are_none(letter: bytes, index: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_reply(Frame(letter, index + b"X-A\0b\0"))


@pytest.mark.parametrize("letter", [b"+", b"-", b"2", b"e"])
@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0", b"a@b", b"<a@b>", b"<a@b\r\nDATA>\0", b"a@b\n\0", b"<<a@b>>\0", b"a@b>\0"),
        *(b"<a@b\x7f>\0", b"<a@b> <c@d>\0", b"<\0"),
    ],
)
def test_addresses_that_are_none(letter: bytes, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_reply(Frame(letter, data))


@pytest.mark.parametrize(
    ("letter", "data"),
    [
        (b"+", b"<a@b>\0SIZE=1\0"),
        (b"-", b"<a@b>\0\0"),
        (b"2", b"<a@b>\0A=1\0B=2"),
        (b"2", b"<a@b>\0A=1\r\nQUIT\0"),
        (b"e", b"<a@b>\0\x1b\0"),
        (b"q", b"a\0b\0"),
        (b"q", b"a\0\0"),
        (b"y", b"250 2.0.0 Ok\0"),
    ],
)
def test_other_garbage(letter: bytes, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_reply(Frame(letter, data))


def test_the_nine_modifications() -> None:
    assert b"".join(MODIFICATIONS) == b"himb+2-eq"
    assert [action.value for action in MODIFICATIONS.values()] == [
        *(1, 1, 16, 2, 4, 128, 8, 64, 32)
    ]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (PlainReply.REJECT, 550),
        (PlainReply.TEMPFAIL, 451),
        (PlainReply.CONN_FAIL, 421),
        (PlainReply.SHUTDOWN, 421),
        (ReplyCode(554, "5.7.1 No"), 554),
        (PlainReply.CONTINUE, None),
        (PlainReply.ACCEPT, None),
        (PlainReply.DISCARD, None),
        (PlainReply.SKIP, None),
        (PlainReply.PROGRESS, None),
        (QuarantineMail("x"), None),
        (None, None),
    ],
)
def test_refusals(reply: object, code: int | None) -> None:
    found = refusal(reply)
    assert (found and found.code) == code
    assert found is None or found.text[0] == str(code)[0]
