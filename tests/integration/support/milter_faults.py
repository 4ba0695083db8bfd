"""One smtpd with filter-milter in all the ways that faults are met, and mail that goes on."""

from collections.abc import Container, Iterator
from contextlib import contextmanager

from integration.support import told
from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.milter_scenes import FIRST, NAME, PLACE
from lab.chaos.processes import Process, workers
from lab.peers.numbered import NumberedMail
from lab.shows.guide import Guide
from lab.support import Lab

OPENDKIM = "unix:/run/opendkim/opendkim.sock"
HASTY = "--connect-timeout 0.3 --command-timeout 0.3 --content-timeout 0.3 --deadline 1 "
"""The milter may be late by that where a machine is busy: what comes then is what a test expects of
one that hangs."""
CHAINS: Chains = {
    "real": (ours(NAME, OPENDKIM),),
    "real, open": (ours(NAME, f"--fail open {OPENDKIM}"),),
    "real, hasty": (ours(NAME, HASTY + OPENDKIM),),
    "real, hasty, open": (ours(NAME, f"{HASTY}--fail open {OPENDKIM}"),),
    "nonsense": (ours(NAME, PLACE),),
    "nonsense, open": (ours(NAME, f"--fail open {PLACE}"),),
    "nonsense and real": (ours(NAME, f"--fail open inet:127.0.0.1:{FIRST} {OPENDKIM}"),),
    "hasty": (ours(NAME, HASTY + PLACE),),
    "hasty, open": (ours(NAME, f"{HASTY}--fail open {PLACE}"),),
}
MARK = b"\nAuthentication-Results: example.com;"
"""The field that OpenDKIM writes into each message."""
AWAY = b"4.7.1 Service unavailable, please try again later"


def number(title: str) -> int:
    """Return the port of the listener that a chain serves."""
    return port(CHAINS, title)


def prepare(guide: Guide) -> None:
    """Have a listener for each chain."""
    listen(guide, CHAINS)


def helpers(lab: Lab) -> list[Process]:
    """Return the processes that speak with milters, not those that others are made from."""
    return [each for each in workers(lab.server) if each.kind == f"{NAME}: milters"]


@contextmanager
def going_on(lab: Lab, title: str, replies: Container[int] = ()) -> Iterator[NumberedMail]:
    """Have clients send mail by way of a chain, which ends with no other ``replies``.

    By default these are 250, and 451 where mail does not pass without the milter. The milter has
    seen all that was accepted then.
    """
    with told.going_on(lab, number(title)) as (load, came):
        yield load
    passes = title.endswith("open")
    replies = replies or ({250} if passes else {250, 451})
    assert {code for code in load.told.values() if code not in replies} == set()
    assert {message.count(MARK) for message in came} <= ({0, 1} if passes else {1})
