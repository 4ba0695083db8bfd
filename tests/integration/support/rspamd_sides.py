"""The filter in Go and ours on one smtpd: what becomes of a mail at either."""

import smtplib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby

from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.queued import Outcome, outcome
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
IN_SESSION = 90
"""Mails that a session may have: smtpd takes 100."""


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
                    yield outcome(lab.guide.view, _reply(client, left.popleft()))
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
