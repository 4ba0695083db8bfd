"""One smtpd with filter-rspamd in all the ways that faults are met, and mail that goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from integration.support import told
from integration.support.dns_scenes import Chains, listen, ours, port
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.numbered import NumberedMail
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab

NAME = "filter-rspamd"
SECONDS = 4
"""Of ``--timeout``."""
NONSENSE_PORT, NOBODY, REAL = 11398, "http://127.0.0.1:1", "http://127.0.0.1:11333"
SECOND = "127.0.0.2"
"""Address of another rspamd."""
ALWAYS = f"--timeout {SECONDS} -settings-id headers "
"""With these settings, rspamd writes X-Spamd-Bar into each message."""
BAR = b"\nX-Spamd-Bar: "
UNSCANNED = b"X-Rspamd-Unscanned: "
CHAINS: Chains = {
    "one": (ours(NAME, ALWAYS),),
    "open": (ours(NAME, ALWAYS + "--fail open"),),
    "socket": (ours(NAME, ALWAYS + "-url /run/rspamd/rspamd.sock"),),
    "first is nobody": (ours(NAME, ALWAYS + f"-url {NOBODY} -url {REAL}"),),
    "first is another": (ours(NAME, ALWAYS + f"-url http://{SECOND}:11333 -url {REAL}"),),
    "nonsense": (ours(NAME, ALWAYS + f"-url http://127.0.0.1:{NONSENSE_PORT}"),),
    "nonsense, open": (ours(NAME, ALWAYS + f"-url http://127.0.0.1:{NONSENSE_PORT} --fail open"),),
    "small": (ours(NAME, ALWAYS + "--max-size 100K"),),
}
FROM = b"From: bob@signed.example"


def number(title: str) -> int:
    """Return the port of the listener that a chain serves."""
    return port(CHAINS, title)


def prepare(guide: Guide) -> None:
    """Have a listener for each chain."""
    listen(guide, CHAINS)


def send(title: str, message: bytes) -> mail.Reply:
    """Send Alice a message by way of a chain; return the reply to its final dot."""
    with mail.connect(CONFIRMED_PTR, number(title)) as client:
        return mail.send(client, STRANGER, LOCAL, message)


def patiently(title: str, message: bytes, lab: Lab, seconds: float = 60.0) -> bytes:
    """Send a message, again and again while the client is told to come again; return it."""
    end = time.monotonic() + seconds
    while (reply := send(title, message))[0] != 250:
        assert reply[0] == 451, reply
        assert time.monotonic() < end, reply
    return lab.inbox.one().message


@contextmanager
def going_on(lab: Lab, title: str) -> Iterator[NumberedMail]:
    """Have clients send mail by way of a chain, which rspamd has scanned where it was accepted."""
    with told.going_on(lab, number(title)) as (load, came):
        yield load
    assert set(load.told.values()) <= {250, 451}
    assert {message.count(BAR) for message in came} == {1}
