"""Clients, senders and recipients whom lists spare: those that postgrey comes with, and our own."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address

import pytest

from integration.support.dns_scenes import Chains, knock, listen, ours, port
from integration.support.greylist_scenes import FIELD, NAME, attempt
from integration.support.told import until
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR
from lab.peers.nameserver import Records
from lab.peers.postgrey import CLIENTS, RECIPIENTS
from lab.root.namespace import visit
from lab.shows.guide import Guide, records
from lab.support import Lab, Setup

FOLDER = "/etc/mail/greylist"
NETWORKS, DOMAINS, MORE, PEOPLE = (f"{FOLDER}/{name}" for name in ("ip", "domains", "more", "to"))
CHAINS: Chains = {
    "postgrey": (ours(NAME, f"--whitelist-clients {CLIENTS} --whitelist-recipients {RECIPIENTS}"),),
    "own": (
        ours(NAME, f"-wl-ip {NETWORKS} -wl-domain {DOMAINS} --wl-ip {MORE}"
             f" --whitelist-clients {CLIENTS} --whitelist-recipients {PEOPLE}"),
    ),
}  # fmt: skip
POSTGREY, OWN = (port(CHAINS, title) for title in CHAINS)
FILES = {
    NETWORKS: "# our customers\n198.51.100.0/24\n2001:db8:0:2::/64\n",
    MORE: "*.partner.example\n",
    DOMAINS: "Bank.example\n*.shop.example\n",
    PEOPLE: "username@\nalice+open@example.com\n",
}
CLIENT = "203.0.113.{}"
NAMED = {
    1: "mx.debian.org",
    2: "mail7.telekom.de",
    3: "mailx.telekom.de",
    4: "MX.Partner.example",
    5: "partner.example",
}
"""The last numbers of clients, and their names in the DNS, which lead back to them."""
LIAR = 9
"""A client who says that it is the first of them."""


def names() -> Records:
    found: dict[tuple[str, str], list[str]] = {}
    for number, name in {**NAMED, LIAR: NAMED[1]}.items():
        found[ip_address(CLIENT.format(number)).reverse_pointer, "PTR"] = [f"{name}."]
        if number in NAMED:
            found[name.lower(), "A"] = [CLIENT.format(number)]
    return found


def prepare(guide: Guide) -> None:
    """Have recipients who are in the list, and files of our own."""
    (guide.view / FOLDER[1:]).mkdir()
    for path, text in FILES.items():
        (guide.view / path[1:]).write_text(text)
    with open(guide.view / "etc/mail/aliases", "a") as aliases:
        aliases.write("postmaster: alice\nabuse: alice\n")
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "greylist-lists", prepare)], indirect=True, ids=str
)


@pytest.fixture(autouse=True)
def world(running: Lab) -> Iterator[None]:
    running.dns.records = {**records(running.guide), **names()}
    yield
    assert "handler-failed" not in running.log


def passes(lab: Lab, number: int, source: str, sender: str, *recipients: str) -> bool:
    """Return whether a message passes, which comes for the first time then."""
    with ExitStack() as stack:
        if source not in (CONFIRMED_PTR, LYING_PTR):
            stack.enter_context(visit(source))
        tried = attempt(number, sender, *recipients, source=source)
    if tried.waits:
        return False
    assert not FIELD.search(lab.inbox.one().message)
    return True


@pytest.mark.parametrize(
    ("source", "spared"),
    [
        ("66.216.126.174", True),
        ("66.216.126.175", False),
        ("195.235.39.201", True),  # of three numbers
        ("195.235.40.201", False),
        ("51.4.80.31", True),
        ("51.4.80.32", False),
        ("2a01:4180:4051:800::1", True),
        ("2a01:4180:4051:801::1", False),
        (CLIENT.format(1), True),
        (CLIENT.format(2), True),
        (CLIENT.format(3), False),
        (CLIENT.format(LIAR), False),
    ],
)
def test_clients_of_postgrey(lab: Lab, source: str, spared: bool) -> None:
    assert passes(lab, POSTGREY, source, "a@stranger.example") == spared


@pytest.mark.parametrize(
    ("recipient", "spared"),
    [
        ("postmaster@example.com", True),
        ("Abuse+spam@example.com", True),
        ("alice@example.com", False),
    ],
)
def test_recipients_of_postgrey(lab: Lab, recipient: str, spared: bool) -> None:
    assert passes(lab, POSTGREY, CONFIRMED_PTR, "b@stranger.example", recipient) == spared


def test_a_source_route_spares_nobody(lab: Lab) -> None:
    """smtpd leaves it out, whatever it is, and gives it to filters."""
    routed = "RCPT TO:<postmaster@x:alice@example.com>"
    with knock(CONFIRMED_PTR, POSTGREY) as client:
        assert client.mail("d@stranger.example")[0] == 250
        assert client.docmd(routed)[0] == 451
        assert client.docmd("RCPT TO:<@relay.example:postmaster@example.com>")[0] == 250
        client.rset()
        assert client.mail("")[0] == 250
        assert client.docmd(routed)[0] == 250
        assert client.docmd("DATA")[0] == 451


def test_a_recipient_among_others(lab: Lab) -> None:
    to = ["alice@example.com", "abuse@example.com"]
    assert attempt(POSTGREY, "c@stranger.example", *to).codes == [451, 250, 250]
    assert not FIELD.search(lab.inbox.one().message)


@pytest.mark.parametrize(
    ("source", "sender", "spared"),
    [
        ("198.51.100.77", "a@stranger.example", True),
        ("198.51.101.77", "a@stranger.example", False),
        ("2001:db8:0:2::77", "a@stranger.example", True),
        (CLIENT.format(4), "a@stranger.example", True),
        (CLIENT.format(5), "a@stranger.example", False),
        (CLIENT.format(1), "a@stranger.example", True),
        (LYING_PTR, "a@bank.example", True),
        (LYING_PTR, "a@mail.bank.example", False),
        (LYING_PTR, "a@mail.Shop.example", True),
        (LYING_PTR, "", False),
    ],
)
def test_lists_of_our_own(lab: Lab, source: str, sender: str, spared: bool) -> None:
    assert passes(lab, OWN, source, sender) == spared


def test_a_list_is_read_anew(lab: Lab) -> None:
    domains = lab.guide.view / DOMAINS[1:]
    assert not passes(lab, OWN, CONFIRMED_PTR, "a@new.example")
    domains.write_text("new.example\n")
    filters = lab.server.filters(NAME)
    for pid in filters:
        os.kill(pid, signal.SIGHUP)
    until(lambda: passes(lab, OWN, CONFIRMED_PTR, "a@new.example"))
    domains.write_text("no domain\n")
    seen = len(lab.log)
    for pid in filters:
        os.kill(pid, signal.SIGHUP)
    until(lambda: "reload-failed" in lab.log[seen:])
    assert passes(lab, OWN, CONFIRMED_PTR, "b@new.example")
    assert lab.server.filters(NAME) == filters
