"""The fields in front of a copy."""

from opensmtpd.mail.archive import envelope
from opensmtpd.mail.archive.envelope import ACCEPTED, DOUBTFUL, STATUS, head


def test_all_recipients_are_named() -> None:
    assert head("1aN2.3b", b"bob@example.net", [b"a@example.com", b"b@example.com"]) == (
        b"X-Archive-Status: doubtful\n"
        b"X-Archive-Id: 1aN2.3b\n"
        b"X-Envelope-From: <bob@example.net>\n"
        b"X-Envelope-To: <a@example.com>\n"
        b"X-Envelope-To: <b@example.com>\n"
    )


def test_a_bounce_has_no_sender() -> None:
    assert b"\nX-Envelope-From: <>\n" in head("x", b"", [b"a@example.com"])


def test_bytes_are_kept() -> None:
    assert b"\nX-Envelope-From: <\xfcb\xff@example.net>\n" in head(
        "x", b"\xfcb\xff@example.net", []
    )


def test_no_line_is_longer_than_a_message_may_have() -> None:
    found = head("x", b"a" * 70_000, [b"b" * 70_000])
    assert max(map(len, found.split(b"\n"))) <= 998
    assert b"\nX-Envelope-To: <" + b"b" * envelope.LINE_MAX + b">\n" in found


def test_one_state_takes_the_place_of_the_other() -> None:
    found = head("x", b"", [])
    start, end = len(STATUS), len(STATUS) + len(ACCEPTED)
    assert found[start:end] == DOUBTFUL
    assert (found[:start] + ACCEPTED + found[end:]).startswith(b"X-Archive-Status: accepted\nX-")
