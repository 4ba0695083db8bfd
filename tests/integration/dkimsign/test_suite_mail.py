"""Real-looking messages through the guide's signing listeners: signed, and otherwise as sent."""

from pathlib import Path

import pytest

from integration.support.checks import ALICE, assert_intact
from lab.peers import mail
from lab.peers.passage import through_smtpd
from lab.support import SUITES, Lab

MAILS = sorted(path for path in (SUITES / "mail").rglob("*") if path.is_file())
NAMES = [str(path.relative_to(SUITES)) for path in MAILS]


def wire(path: Path) -> bytes:
    """Return a message with CRLF at the end of each line."""
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    return b"".join(line.removesuffix(b"\r") + b"\r\n" for line in lines)


def test_the_suite_is_there() -> None:
    if not MAILS:
        pytest.skip(f"no messages in {SUITES}; OPENSMTPD_PLUGINS_SUITES names another folder")
    assert len(MAILS) >= 100


@pytest.mark.parametrize("path", MAILS, ids=NAMES)
def test_message(lab: Lab, path: Path) -> None:
    message = wire(path)
    passage = through_smtpd(message)
    with mail.submissions(lab.guide) as client:
        reply = mail.send(client, ALICE, ALICE, message)
    if passage is None:
        assert (reply[0], reply[1][-32:]) == (550, b"Message is not RFC 2822 compliant"[-32:])
        return
    assert reply[0] == 250, reply
    # Only without a From, or where smtpd will complete it, a message goes out unsigned.
    signed = b"from" in passage.fields - passage.completed
    assert_intact(lab.inbox.one(), passage, signed=signed)
