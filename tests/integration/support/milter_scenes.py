"""Sessions of clients with filter-milter, in front of a milter that does what a test says."""

import re
import smtplib
from collections.abc import Sequence
from typing import NamedTuple

from integration.support.dns_scenes import Chains, listen, ours, port
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.maildir import Delivered
from lab.root.namespace import SERVER4, SERVER6
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide

NAME = "filter-milter"
FIRST, SECOND = 9001, 9002
"""Ports of scripted milters."""
PLACE, OTHER = f"inet:{FIRST}@127.0.0.1", f"inet:127.0.0.1:{SECOND}"
CHAINS: Chains = {
    "one": (ours(NAME, PLACE),),
    "two": (ours(NAME, f"{PLACE} {OTHER}"),),
    "stern": (ours(NAME, f"--discard reject --envelope tempfail {PLACE}"),),
    "behind another": (ours("filter-auth"), ours(NAME, PLACE)),
}
MESSAGE = (
    b"From: bob@example.net\r\n"
    b"To: alice@example.com\r\n"
    b"Subject: hello\r\n"
    b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
    b"\r\n"
    b"hello\r\n"
    b".dot\r\n"
)
ACCEPTED = 250
RECEIVED = re.compile(rb"(?m)^Received: .*\n(?:\t.*\n)+")


class Seen(NamedTuple):
    """What a client has seen last."""

    stage: str
    """``connect``, ``helo``, ``mail``, ``rcpt``, ``data`` or ``dot``."""
    code: int
    text: str


def number(title: str) -> int:
    """Return the port of the listener that a chain serves."""
    return port(CHAINS, title)


def prepare(guide: Guide) -> None:
    """Have a listener for each chain; local mail goes by way of the first."""
    listen(guide, CHAINS, local="one")


def begin(title: str | int = "one", source: str = CONFIRMED_PTR) -> smtplib.SMTP:
    """Connect to a chain or a port, and say nothing. Raises SMTPConnectError for a refusal."""
    at = number(title) if isinstance(title, str) else title
    host = SERVER6 if ":" in source else SERVER4
    return smtplib.SMTP(
        host, at, local_hostname="client.example.net", timeout=60,
        source_address=(source, 0),
    )  # fmt: skip


def transaction(
    client: smtplib.SMTP,
    message: bytes = MESSAGE,
    sender: str = STRANGER,
    recipients: Sequence[str] = (LOCAL,),
) -> Seen:
    """Run one transaction, up to the first refusal."""
    code, text = client.mail(sender)
    if code != ACCEPTED:
        return Seen("mail", code, text.decode())
    for recipient in recipients:
        code, text = client.rcpt(recipient)
        if code != ACCEPTED:
            return Seen("rcpt", code, text.decode())
    try:
        code, text = client.data(message)
    except smtplib.SMTPDataError as error:
        said = error.smtp_error
        return Seen("data", error.smtp_code, said if isinstance(said, str) else said.decode())
    return Seen("dot", code, text.decode())


def visit(title: str | int = "one", message: bytes = MESSAGE, sender: str = STRANGER) -> Seen:
    """Send Alice a message in a session of its own."""
    try:
        client = begin(title)
    except smtplib.SMTPConnectError as error:
        said = error.smtp_error
        return Seen("connect", error.smtp_code, said if isinstance(said, str) else said.decode())
    try:
        code, text = client.ehlo()
        if code != ACCEPTED:
            return Seen("helo", code, text.decode())
        return transaction(client, message, sender)
    finally:
        client.close()


def content(delivered: Delivered) -> tuple[str, bytes]:
    """Return the folder, and the message with CRLF line ends; smtpd's own Received is short."""
    text = RECEIVED.sub(b"Received:\n", delivered.message, count=1)
    return delivered.folder, text.replace(b"\n", b"\r\n")
