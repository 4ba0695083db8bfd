"""Clients who choose what they say, and how slowly: mail is scanned all the same."""

import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.rspamd_faults import ALWAYS, BAR, FROM, NAME
from integration.support.rspamd_mail import composed
from integration.support.told import until
from lab.chaos.faults.limits import set_limit
from lab.chaos.processes import Process, workers
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.rspamd.server import RspamdServer
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

CHAINS: Chains = {
    "tempfail": (ours(NAME, ALWAYS),),
    "open": (ours(NAME, ALWAYS + "--fail open"),),
}
SPAM = composed({"score": 99}, [FROM], [b"spam"])
HELLO = composed({}, [FROM, b"Subject: hello"], [b"hello"])
EARLY = 100
"""Messages that are uploaded while they arrive, at most."""
STALLED = EARLY + 30
DESCRIPTORS = EARLY + 25
"""Of the worker: it has some of its own, and one for each message that is uploaded."""


def prepare(guide: Guide) -> None:
    """Have a listener for each chain."""
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "rspamd-clients", prepare)], indirect=True, ids=str
)


@pytest.fixture
def site(running: Lab) -> Iterator[Lab]:
    """smtpd that lives at the end, with nothing delivered that no test has looked at."""
    yield running
    running.server.check()
    assert running.inbox.rest() == []


# --- many recipients ----------------------------------------------------------------------------


def to_many(title: str, count: int, message: bytes) -> mail.Reply:
    """Send a message to as many addresses of Alice; return the reply to its final dot."""
    name, _, domain = LOCAL.partition("@")
    with mail.connect(CONFIRMED_PTR, port(CHAINS, title)) as client:
        assert client.mail(STRANGER)[0] == 250
        for number in range(count):
            assert client.rcpt(f"{name}+{number:0100d}@{domain}")[0] == 250
        return client.data(message)


@pytest.mark.parametrize("title", CHAINS)
@pytest.mark.parametrize("count", [10, 900])
def test_spam_for_many_is_refused(site: Lab, rspamd: RspamdServer, count: int, title: str) -> None:
    """rspamd takes a request of 80 KiB at most, without the message."""
    away, cut = (site.log.count(each) for each in (" server-away ", " rspamd-recipients "))
    assert to_many(title, count, SPAM) == (550, b"message rejected")
    assert site.log.count(" server-away ") == away
    assert site.log.count(" rspamd-recipients ") - cut == (count == 900)


# --- clients that stall -------------------------------------------------------------------------


def stalls(stack: ExitStack) -> smtplib.SMTP:
    """Begin a session that says no more amid a message of two parts."""
    client = mail.connect(CONFIRMED_PTR, port(CHAINS, "open"))
    stack.callback(client.close)
    client.mail(STRANGER)
    client.rcpt(LOCAL)
    assert client.docmd("DATA")[0] == 354
    client.send(composed({}, [FROM, b"Subject: slow"], [b"x" * 900] * 200))
    return client


def uploads() -> int:
    """Return the number of connections to rspamd."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[2:4] == [f"0100007F:{RspamdServer.port:04X}", "01"] for row in rows)


def helpers(lab: Lab) -> list[Process]:
    """Return the processes that speak with rspamd."""
    return [each for each in workers(lab.server) if each.kind == f"{NAME}: rspamd"]


def test_sessions_that_stall_leave_others_alone(site: Lab, rspamd: RspamdServer) -> None:
    """Each has a connection to rspamd as long as it likes: there are bounds to that."""
    assert len(helpers(site)) == len(CHAINS)
    before = site.log.count(" server-away ")
    for process in helpers(site):
        assert set_limit(process.pid, "nofile", str(DESCRIPTORS))
    with ExitStack() as stack:
        clients = [stalls(stack) for _ in range(STALLED)]
        until(lambda: uploads() >= EARLY)
        with mail.connect(CONFIRMED_PTR, port(CHAINS, "open")) as client:
            assert mail.send(client, STRANGER, LOCAL, HELLO)[0] == 250
        assert site.inbox.one().message.count(BAR) == 1
        assert uploads() == EARLY
        for client in (clients[0], clients[-1]):  # one is being uploaded, one has waited
            client.send(b".\r\n")
            assert client.getreply()[0] == 250
            assert site.inbox.one().message.count(BAR) == 1
    until(lambda: uploads() == 0)
    assert site.log.count(" server-away ") == before
