"""Messages that go through filter-rspamd to Alice, and the headers that she gets."""

import json
import re
from typing import Any

from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.rspamd_mail import Lines
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab

CHAINS: Chains = {
    "plain": (ours("filter-rspamd"),),
    "settings": (ours("filter-rspamd", "-settings-id headers"),),
}
PLAIN, SETTINGS = (port(CHAINS, title) for title in CHAINS)
FROM = b"From: bob@signed.example"


def prepare(guide: Guide) -> None:
    """Have a listener without settings, which local mail uses, too, and one with settings."""
    listen(guide, CHAINS, local="plain")


def deliver(lab: Lab, message: bytes, number: int = PLAIN) -> bytes:
    """Send Alice a message; return it as she got it."""
    with mail.connect(CONFIRMED_PTR, number) as client:
        reply = mail.send(client, STRANGER, LOCAL, message)
    assert reply[0] == 250, reply
    return lab.inbox.one().message


def header(message: bytes) -> Lines:
    """Return the lines of a header; smtpd's own Received is one of them, and short."""
    text = re.sub(rb"(?m)^Received: .*\n(?:\t.*\n)+", b"Received:\n", message, count=1)
    return text.partition(b"\n\n")[0].split(b"\n")


def asked(message: bytes) -> dict[str, Any]:
    """Return what rspamd was told of a message: it has written that into it."""
    (line,) = [line for line in header(message) if line.startswith(b"X-Lab-Request: ")]
    told: dict[str, Any] = json.loads(line.partition(b" ")[2])
    return told
