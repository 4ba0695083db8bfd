"""examples/filter_mark_outside.py: a mark in the Subject, and all else as it was."""

import pytest

from filter_mark_outside import MarkOutside
from opensmtpd.testing import run_message

BODY = b"\nSubject: in the body\n.\n"


def passed(message: bytes, username: bytes | None = None) -> bytes:
    """Return a message as it comes out of the filter, without smtpd's own lines."""
    outcome = run_message(MarkOutside(), message, username=username)
    assert outcome.accepted
    assert outcome.message.startswith(outcome.received)
    return outcome.message.removeprefix(outcome.received)


@pytest.mark.parametrize(
    ("subject", "marked"),
    [
        (b"Subject: hi", b"Subject: [outside] hi"),
        (b"SUBJECT : hi", b"SUBJECT: [outside] hi"),
        (b"Subject:", b"Subject: [outside]"),
        (b"Subject: one\n\ttwo\n  three", b"Subject: [outside] one\n\ttwo\n  three"),
        (b"Subject:\n one", b"Subject: [outside]\n one"),
        (b"Subject: one\rtwo", b"Subject: [outside] onetwo"),
        (b"Subject: one\nSubject: two", b"Subject: [outside] one\nSubject: [outside] two"),
        (b"Subject: Re: [outside] hi", b"Subject: Re: [outside] hi"),
        (b"Subject: Re:\n [outside] hi", b"Subject: Re:\n [outside] hi"),
    ],
)
def test_the_subject_gets_one_mark(subject: bytes, marked: bytes) -> None:
    front, behind = b"From: bob@remote.example\n", b"\nTo: alice@example.com\n" + BODY
    assert passed(front + subject + behind) == front + marked + behind


def test_a_message_without_a_subject_gets_one() -> None:
    header = b"From: bob@remote.example\n"
    assert passed(header + BODY) == header + b"Subject: [outside]\n" + BODY


def test_a_message_of_a_user_stays_as_it_was() -> None:
    message = b"Subject: hi\n" + BODY
    assert passed(message, username=b"alice") == message
