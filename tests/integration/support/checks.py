"""Send a message through a signing listener and hold the delivered copy against it."""

import os
import signal
import smtplib
import time

from lab.peers import mail
from lab.peers.maildir import Delivered
from lab.peers.passage import FRONT, Passage
from lab.peers.verify import flaw, signatures
from lab.support import Lab

ALICE = "alice@example.com"
DATE = b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
HEADER = b"From: Alice <alice@example.com>\r\nTo: alice@example.com\r\nSubject: odd\r\n" + DATE


def deliver(lab: Lab, client: smtplib.SMTP, message: bytes) -> Delivered:
    """Send ``message`` to Alice and return her copy."""
    reply = mail.send(client, ALICE, ALICE, message)
    assert reply[0] == 250, reply
    return lab.inbox.one()


def assert_intact(
    delivered: Delivered, passage: Passage, *, signed: bool = True, submission: bool = False
) -> None:
    """Assert that nothing but what smtpd does was done, and that our signature holds."""
    assert delivered.agent_lines == [
        b"Return-Path: <alice@example.com>",
        b"Delivered-To: alice@example.com",
    ]
    front = FRONT.match(delivered.message)
    assert front is not None, delivered.message[:500]
    assert passage.difference(delivered.message[front.end() :], submission) is None
    assert bool(front["signature"]) == signed
    if signed:
        assert signatures(front["signature"]) == 1
        assert flaw(delivered.message) is None


def hang_up(lab: Lab, event: str) -> None:
    """Send SIGHUP to the filter and wait until it has logged ``event``."""
    before = lab.log.count(f" {event}")
    (pid,) = lab.server.filters()
    os.kill(pid, signal.SIGHUP)
    logged(lab, event, before)


def logged(lab: Lab, event: str, before: int) -> None:
    """Wait until ``event`` has been logged more than ``before`` times."""
    end = time.monotonic() + 30
    while lab.log.count(f" {event}") <= before:
        assert time.monotonic() < end, lab.server.tail()
        time.sleep(0.02)
