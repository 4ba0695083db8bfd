"""examples/filter_log_mail.py: a line for each message that was taken."""

import re

from filter_log_mail import LogMail
from opensmtpd.testing import run_message


def test_the_line_has_sender_recipients_and_size() -> None:
    outcome = run_message(LogMail(), recipients=(b"alice@example.com", b"bob@example.com"))
    (line,) = outcome.log
    size = len(outcome.received) + len(b"Subject: test\n\nhello\n")
    assert re.fullmatch(
        r"[0-9a-f]{16} message msgid=[0-9a-f]{8} sender=bob@remote\.example recipients=2 size=\d+",
        line,
    )
    assert int(line.rpartition("=")[2]) >= size


def test_a_sender_cannot_pretend_to_be_another_field() -> None:
    outcome = run_message(LogMail(), sender=b"a=b@remote.example")
    (line,) = outcome.log
    assert ' sender="a=b@remote.example" ' in line


def test_a_message_that_is_refused_has_none() -> None:
    assert run_message(LogMail(), recipients=()).log == ()
