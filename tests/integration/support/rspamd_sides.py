"""The filter in Go and ours on one smtpd: what becomes of a mail at either.

smtpd keeps what it has accepted, so that a message is read where it waits: what an agent of
delivery would get, without the time that a delivery takes.
"""

import re
import smtplib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.rspamd_mail import Mail
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.root.plugin import ORIGINAL
from lab.shows import moves
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab

NAME = "filter-rspamd"
CHAINS: Chains = {"ours": (ours(NAME),), "go": (ours(NAME + ORIGINAL),)}
OURS, GO = (port(CHAINS, title) for title in CHAINS)
QUEUE = "var/spool/smtpd/queue"
ACCEPTED = re.compile(rb"([0-9a-f]{8}) Message accepted")
RECEIVED = re.compile(rb"(?<= id )[0-9a-f]{8}(?=[ ;\n])|(?<=;\n\t)\w{3}, .*(?=\n)")
IN_SESSION = 90
"""Mails that a session may have: smtpd takes 100."""


class Outcome(NamedTuple):
    """What smtpd made of a mail."""

    reply: bytes
    """To its final dot, or what refused it before; without the number of the message."""
    message: bytes = b""
    """As smtpd has it in its queue, without the number and the time in its own Received."""


def prepare(guide: Guide) -> None:
    """Have a listener for each filter."""
    listen(guide, CHAINS)


def sent(
    lab: Lab, number: int, mails: Iterable[Mail], source: str = CONFIRMED_PTR
) -> Iterator[Outcome]:
    """Send mails to a port one after another, in as few sessions as may be."""
    moves.smtpctl(lab.guide, "pause", "mda")
    for authenticated, alike in groupby(mails, lambda each: each.authenticated):
        left = deque(alike)
        while left:
            with mail.connect(source, number) as client:
                if authenticated:
                    client.starttls(context=mail.trusting(lab.guide))
                    client.login("alice", PASSWORD)
                for _ in range(min(len(left), IN_SESSION)):
                    yield _outcome(lab.guide.view, _reply(client, left.popleft()))
                    if client.sock is None:
                        break


def _reply(client: smtplib.SMTP, each: Mail) -> bytes:
    replies = [client.mail(each.sender), *map(client.rcpt, each.recipients)]
    refused = [reply for reply in replies if reply[0] >= 400]
    code, text = refused[0] if refused else client.data(each.message)
    if code == 421:
        client.close()
    elif code >= 400:
        client.rset()
    return b"%d %s" % (code, text)


def _outcome(view: Path, reply: bytes) -> Outcome:
    found = ACCEPTED.search(reply)
    if not found:
        return Outcome(reply)
    number = found[1].decode("ascii")
    message = (view / QUEUE / number[:2] / number / "message").read_bytes()
    said = ACCEPTED.sub(b"(number) Message accepted", reply)
    return Outcome(said, RECEIVED.sub(b"", message, count=2))
