"""One smtpd with filter-milter in all the ways that faults are met, and mail that goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.milter_scenes import FIRST, NAME, PLACE
from integration.support.told import until
from lab.chaos.processes import Process, workers
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.numbered import NumberedMail, missing_and_twice
from lab.shows.demo import LOCAL, STRANGER
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
CLIENTS = 3
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
def going_on(lab: Lab, title: str) -> Iterator[NumberedMail]:
    """Have clients send mail by way of a chain, 30 messages and more.

    At the end each one that was accepted must have come once, and all others must have been told
    to come again. The milter has seen all that was accepted, where mail does not pass without.
    """
    came: list[bytes] = []

    def take() -> list[bytes]:
        found = [each.message for each in lab.inbox.take(0)]
        came.extend(found)
        return found

    with NumberedMail(lambda _: mail.connect(CONFIRMED_PTR, number(title)),
                      STRANGER, LOCAL, CLIENTS) as load:  # fmt: skip
        load.goes_on(60)
        yield load
        load.goes_on(60)
        until(lambda: len(load.told) >= 30)
    assert missing_and_twice(load, take) == (set(), set())
    passes = title.endswith("open")
    assert set(load.told.values()) <= ({250} if passes else {250, 451})
    assert {message.count(MARK) for message in came} <= ({0, 1} if passes else {1})
    lab.server.check()
