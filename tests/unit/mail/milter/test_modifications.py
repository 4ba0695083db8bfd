"""Modifications made to a message, in order."""

import pytest

from opensmtpd.errors import ProtocolError
from opensmtpd.filter.field import make
from opensmtpd.mail.milter.header import HeaderEdits, MilterHeader
from opensmtpd.mail.milter.modifications import (
    LINE_MAX,
    Modified,
    apply,
    body_bytes,
    field_value,
)
from opensmtpd.mail.milter.replies import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    ChangeSender,
    DeleteRecipient,
    EnvelopeModification,
    InsertHeader,
    PlainReply,
    QuarantineMail,
    ReplaceBody,
)
from unit.support.lone_message import LONGEST

FIELDS = [(b"From", b" a@example.org"), (b"Subject", b" hi")]


def test_fields() -> None:
    header = MilterHeader(FIELDS)
    outcome = apply(
        header,
        [
            InsertHeader(1, b"Top", b"1"),
            AddHeader(b"End", b" 2"),
            ChangeHeader(1, b"subject", b"new\n\ttext"),
            ChangeHeader(1, b"from", b""),
            ChangeHeader(2, b"end", b"3"),
            ChangeHeader(1, b"end", b""),
        ],
        leading_space=False,
    )
    assert outcome == Modified(None, [])
    assert header.edits() == HeaderEdits(
        [0], [(1, b" new\n\ttext")], [(0, b"Top", b" 1"), (2, b"end", b" 3")]
    )


def test_values_with_their_own_space() -> None:
    header = MilterHeader(FIELDS)
    apply(
        header,
        [AddHeader(b"A", b" x"), AddHeader(b"B", b"x"), ChangeHeader(1, b"From", b"y")],
        leading_space=True,
    )
    assert header.edits() == HeaderEdits([], [(0, b"y")], [(2, b"A", b" x"), (2, b"B", b"x")])


def test_the_envelope_is_left_to_the_caller_and_the_body_is_put_together() -> None:
    header = MilterHeader(FIELDS)
    envelope: list[EnvelopeModification] = [
        QuarantineMail("why"),
        AddRecipient(b"c@example.net", b"NOTIFY=NEVER"),
        DeleteRecipient(b"b@example.net"),
        ChangeSender(b""),
    ]
    pieces = [ReplaceBody(b"one\r"), ReplaceBody(b"\ntwo"), ReplaceBody(b" 2\r\n")]
    outcome = apply(
        header,
        [
            *(pieces[0], envelope[0], PlainReply.PROGRESS, pieces[1], *envelope[1:]),
            *(AddHeader(b"A", b"x"), pieces[2], PlainReply.ACCEPT),
        ],
        leading_space=False,
    )
    assert outcome == Modified(b"one\ntwo 2\n", envelope)
    assert header.fields() == [*FIELDS, (b"A", b" x")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", b""),
        (b" a", b" a"),
        (b"a\n\tb\n c", b"a\n\tb\n c"),
        (b"a\r\n\tb", b"a\n\tb"),
        (b"a\r\n\tb\r\n", b"a\n\tb"),
        (b"a\nBcc: c@example.org", b"a\n\tBcc: c@example.org"),
        (b"a\n\nbody", b"a\n\tbody"),
        (b"a\n\n\n", b"a"),
        (b"\n\ta", b"\n\ta"),
        (b"a\rb", b"ab"),
        (b"\r", b""),
    ],
)
def test_values(value: bytes, expected: bytes) -> None:
    assert field_value(b"X", value, leading_space=True) == expected
    assert field_value(b"X", value, leading_space=False) == b" " + expected


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ([], b""),
        ([b""], b""),
        ([b"\r\n"], b"\n"),
        ([b"a"], b"a\n"),
        ([b"a\r\n"], b"a\n"),
        ([b"a\n\nb\r\n"], b"a\n\nb\n"),
        ([b"a", b"b\r", b"\n", b".\r\n"], b"ab\n.\n"),
        ([b"a\rb\0c\r\r\n\0\r\n"], b"abc\n\n"),
    ],
)
def test_bodies(pieces: list[bytes], body: bytes) -> None:
    assert body_bytes(pieces) == body


def test_lines_that_are_too_long_for_smtpd() -> None:
    assert LINE_MAX == LONGEST
    assert len(field_value(b"X", b" " + b"v" * (LINE_MAX - 3), leading_space=True)) == LINE_MAX - 2
    assert len(field_value(b"X", b"v" * (LINE_MAX - 3), leading_space=True)) == LINE_MAX - 3
    assert body_bytes([b"x" * (LINE_MAX - 1)]) == b"x" * (LINE_MAX - 1) + b"\n"
    for size in (LINE_MAX - 2, 3 * LINE_MAX):
        for value, leading_space in ((b"v" * size, True), (b" " + b"v" * size, False)):
            lines = field_value(b"X", value, leading_space).split(b"\n")
            make(b"X", lines, LINE_MAX)
            assert b"".join(lines).replace(b"\t", b"").lstrip() == b"v" * size
            assert len(lines) == 1 + size // (LINE_MAX - 3)
    lines = field_value(b".X", b"a\n" + b"v" * LINE_MAX, leading_space=True).split(b"\n")
    assert lines == [b"a", b"\t" + b"v" * (LINE_MAX - 1), b"\tv"]
    for line in (b"x", b"."):  # a dot at the beginning is doubled
        text = body_bytes([b"a\r\n", line * (2 * LINE_MAX - 2), line, b"\r\nb"])
        assert text.split(b"\n") == [
            *(b"a", *[line * (LINE_MAX - 1)] * 2, line, b"b", b""),
        ]


def test_a_name_that_is_too_long_for_smtpd() -> None:
    assert field_value(b"X" * (LINE_MAX - 3), b"vw", leading_space=True) == b"v\n\tw"
    with pytest.raises(ProtocolError, match="the name of a field"):
        field_value(b"X" * (LINE_MAX - 2), b"v", leading_space=True)
