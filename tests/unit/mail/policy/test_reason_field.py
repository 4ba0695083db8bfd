"""The header fields with the reasons: one line each, in front of the message."""

import pytest

from opensmtpd.mail.policy.reason_field import PrependedFields, header_line
from opensmtpd.mail.policy.verdict import Reason

# --- the field ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (
            Reason("rdns", "192.0.2.5 has no name in the DNS"),
            b"X-Spam-Reason: rdns; 192.0.2.5 has no name in the DNS",
        ),
        (Reason("dnsbl", ""), b"X-Spam-Reason: dnsbl; "),
        (Reason("helo-name", "a|b; c: d"), b"X-Spam-Reason: helo-name; a|b; c: d"),
        (Reason("x", "a\r\nBcc: b\n\nc\x00d"), b"X-Spam-Reason: x; a??Bcc: b??c?d"),
        (Reason("x", "caf\xe9 \u20ac \udcff\x7f"), b"X-Spam-Reason: x; caf? ? ??"),
    ],
)
def test_a_field_is_one_line_of_printable_ascii(reason: Reason, line: bytes) -> None:
    assert header_line(reason) == line


def test_a_long_reason_is_cut() -> None:
    head = b"X-Spam-Reason: x; "
    room = 900 - len(head)
    assert header_line(Reason("x", "y" * room)) == head + b"y" * room
    assert header_line(Reason("x", "y" * room + "z")) == head + b"y" * room
    assert header_line(Reason("x", "\u20ac" * 2000)) == head + b"?" * room


# --- the message ----------------------------------------------------------------------------------

FIELDS = [b"X-Spam-Reason: rdns; one", b"X-Spam-Reason: fcrdns; two"]
HEADER = [b"Received: from x", b"\tby y", b"Subject: hello", b"X-Spam-Reason: old"]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_fields_stand_in_front_once(size: int) -> None:
    message = PrependedFields(list(FIELDS))
    runs = [HEADER[at : at + size] for at in range(0, len(HEADER), size)]
    assert [line for run in runs for line in message.header(run)] == [*FIELDS, *HEADER]


def test_later_runs_and_the_body_are_the_same_objects() -> None:
    message = PrependedFields(list(FIELDS))
    first, second, body = HEADER[:1], HEADER[1:], [b"body"]
    assert message.header(first) is not first
    assert message.header(second) is second
    assert message.body(body) is body
    assert message.end() == []


def test_without_fields_nothing_is_touched() -> None:
    message = PrependedFields([])
    assert message.header(HEADER) is HEADER
