"""What smtpd still does to a message, held against its source and seen with 7.6 and 7.9."""

import re

import pytest

from opensmtpd.mail.dkim.sign.smtpd_changes import added_fields, completes, is_submission


@pytest.mark.parametrize(
    "value",
    [
        b" root",
        b"root",
        b" <root>",
        b" Ann <root>",
        b" Ann < root >",
        b' "Ann @ home" <root>',
        b' "a@example.com"',
        b" a@example.com, root",
        b" root, a@example.com",
        b" a@example.com,\n\troot",
        b" root (Cron Daemon)",
        b" root (a@example.com)",
        b" (a@example.com) root",
        b" a@example.com; root, b",  # a semicolon separates nothing
        b" <@a,b>",  # a comma does, wherever it stands
        b" a@example.com\\,root",  # even behind a backslash
        b" root\\",  # what is escaped is the line end
        b"(root)",  # smtpd writes into a comment that nothing stands in front of
    ],
)
def test_bare_addresses_are_completed(value: bytes) -> None:
    assert completes(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b" ,",
        b" a@example.com",
        b" Ann <a@example.com>, Bob <b@example.org>",
        b' "Example, Ann" <a@example.com>',
        b' "Ann \\" Example" <a@example.com>',
        b" undisclosed-recipients:;",
        b" Friends: ann;",
        b' "a\\"b@example.com"',  # when smtpd looks for the @, a backslash quotes no quote
        b" a@example.com,\n\tb@example.com",
        b" <>",
        b" Ann < >",
        b" Ann <root",  # broken: smtpd leaves it alone
        b' "root',
        b" (root",
        b" ann\\@example.com",  # a backslash does not hide an @
        b" (comment)",
        b" (a, b) a@example.com",
    ],
)
def test_all_else_stays(value: bytes) -> None:
    assert not completes(value)


@pytest.mark.parametrize("value", [b"(" * 65_000, b'"' * 65_001, b"\\" * 65_000, b"," * 65_000])
def test_hostile_fields_take_linear_time(value: bytes) -> None:
    """No clock decides: a quadratic reader would take minutes for these."""
    assert completes(value) is (value[:1] == b"\\")


HEADER = b"\nReceived: from x\n\tby y\nSubject: Date: no"


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (HEADER, [b"Date", b"Message-ID"]),
        (HEADER + b"\nDate: x", [b"Message-ID"]),
        (HEADER + b"\nMESSAGE-ID:x", [b"Date"]),
        (HEADER + b"\ndate:\nmessage-id:", []),
        # smtpd does not take these for Date and Message-ID, and adds its own.
        (HEADER + b"\nDate : x\nMessage-ID\t: y", [b"Date", b"Message-ID"]),
        (HEADER + b"\n Date: folded", [b"Date", b"Message-ID"]),
        (HEADER + b"\nMy-Date: x\nX-Message-ID: y", [b"Date", b"Message-ID"]),
    ],
)
def test_what_is_missing(header: bytes, names: list[bytes]) -> None:
    fields = added_fields(header, b"example.com", 0.0)
    assert [field.partition(b":")[0] for field in fields] == names


def test_message_ids_are_unique_and_of_the_domain() -> None:
    one, other = (added_fields(b"\nDate: x", b"example.com", 0.0)[0] for _ in range(2))
    assert re.fullmatch(rb"Message-ID: <[0-9a-f]{32}@example\.com>", one)
    assert one != other


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (b"unix:/var/run/smtpd.sock", True),
        (b"127.0.0.1:25", True),
        (b"[::1]:25", True),
        (b"192.0.2.1:587", True),
        (b"[2001:db8::1]:587", True),
        (b"192.0.2.1:25", False),
        (b"192.0.2.1:465", False),
        (b"127.0.0.2:25", False),  # smtpd's listener is local on the one address only
        (b"[2001:db8::587]:25", False),
        (b"192.0.2.1:5870", False),
        (b"", False),
    ],
)
def test_where_smtpd_adds_fields(destination: bytes, expected: bool) -> None:
    assert is_submission(destination) is expected
