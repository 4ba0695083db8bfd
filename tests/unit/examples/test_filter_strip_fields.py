"""examples/filter_strip_fields.py: private fields go, whole; all else stays as it was."""

import pytest

from filter_strip_fields import StripFields, Stripped
from opensmtpd.testing import run_message

HEADER = [
    b"Subject: hi",
    b"USER-AGENT: Mail/1.0",
    b"\t(some system)",
    b" 2026",
    b"To: alice@example.com,",
    b" bob@example.com",
    b"X-Originating-IP : 192.0.2.9",
    b"X-Mailer-Other: stays",
]
KEPT = [HEADER[0], *HEADER[4:6], HEADER[7]]


def test_fields_go_with_their_continuation_lines() -> None:
    body = b"\nUser-Agent: in the body\n.\n"
    message = b"".join(line + b"\n" for line in HEADER) + body
    outcome = run_message(StripFields(), message)
    kept = b"".join(line + b"\n" for line in KEPT)
    assert outcome.message == outcome.received + kept + body


@pytest.mark.parametrize("cut", range(len(HEADER) + 1))
def test_a_field_may_lie_in_two_runs_of_lines(cut: int) -> None:
    handler = Stripped()
    assert handler.header(HEADER[:cut]) + handler.header(HEADER[cut:]) == KEPT
