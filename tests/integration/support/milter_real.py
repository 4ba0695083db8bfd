"""smtpd with filter-milter in front of real milters."""

import os

from integration.support.dns_scenes import Chains, listen, ours, port
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.milters.server import MilterServer
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab

NAME = "filter-milter"
OPENDKIM = "unix:/run/opendkim/opendkim.sock"
SPAMASS = "/run/spamass/spamass.sock"
CHAINS: Chains = {
    "signing": (ours(NAME, OPENDKIM),),
    "incoming": (ours(NAME, f"{OPENDKIM} inet:8893@127.0.0.1"),),
    "greylist": (ours(NAME, "local:/run/milter-greylist/milter-greylist.sock"),),
    "clamav": (ours(NAME, "inet:localhost:7357"),),
    "spamass": (ours(NAME, SPAMASS),),
    "all": (ours(NAME, f"inet:7357@127.0.0.1 {SPAMASS} {OPENDKIM}"),),
}


def number(title: str) -> int:
    """Return the port of the listener that a chain serves."""
    return port(CHAINS, title)


def prepare(guide: Guide) -> None:
    """Have a listener for each chain. The milters need not run yet."""
    listen(guide, CHAINS)


def seen_by(lab: Lab, milter: MilterServer) -> None:
    """Have smtpd see the socket of a milter that began after it."""
    if not os.path.ismount(lab.guide.view / milter.folder[1:]):
        milter.share(lab.guide.view)


def send(
    title: str, message: bytes, sender: str = STRANGER, source: str = CONFIRMED_PTR
) -> mail.Reply:
    """Send Alice a message by way of a chain; return the first refusal, or the last reply."""
    with mail.connect(source, number(title)) as client:
        return mail.send(client, sender, LOCAL, message)
