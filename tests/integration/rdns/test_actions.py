"""What else filter-rdns can do to clients, whom it spares, and a name server that is no help."""

import os
import re
import signal
import smtplib
import time
from collections.abc import Iterator

import pytest

from integration.support.dns_scenes import (
    BUILTIN_FCRDNS,
    BUILTIN_RDNS,
    Chains,
    Fate,
    knock,
    listen,
    ours,
    port,
    visit,
)
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, LYING_PTR6, NO_PTR, NO_PTR6
from lab.peers.nameserver import NameServer
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, setups

CLOSED, MUTE = "127.0.0.9", "127.0.0.8"
"""Addresses of a name server where nobody listens, and of one that never answers."""
DYNAMIC = "192.0.2.109"
BOTH = "--rdns junk --fcrdns junk"
CHAINS: Chains = {
    "reject": (ours("filter-rdns", "--rdns 'reject:554 5.7.25 {ip} ({rdns}): {reason}'"),),
    "reject plainly": (ours("filter-rdns", "--rdns reject --fcrdns reject"),),
    "disconnect": (ours("filter-rdns", "--rdns disconnect"),),
    "disconnect for now": (ours("filter-rdns", "--rdns 'disconnect:421 4.7.25 Not now'"),),
    "tempfail": (ours("filter-rdns", "--rdns tempfail"),),
    "header": (ours("filter-rdns", "--rdns header --fcrdns header"),),
    "junk and header": (ours("filter-rdns", f"{BOTH} --header"),),
    "exempt": (ours("filter-rdns", f"{BOTH} --exempt /etc/mail/spared"),),
    "spare": (ours("filter-rdns", f"{BOTH} --spare-authenticated --header"),),
    "builtin": (BUILTIN_RDNS, BUILTIN_FCRDNS),
    "dynamic": (ours("filter-rdns", "--dynamic junk --header"),),
    "helo": (
        ours(
            "filter-rdns",
            "--rdns off --helo-name reject --helo-ours 'disconnect:550 5.7.1 Not you, {helo}'"
            " --helo-dns junk --our-name mx.example.com --our-name 203.0.113.9",
        ),
    ),
    "closed": (ours("filter-rdns", f"{BOTH} --verify --nameserver {CLOSED}"),),
    "mute": (ours("filter-rdns", f"{BOTH} --verify --nameserver {MUTE} --dns-deadline 1"),),
    "closed, tempfail": (
        ours("filter-rdns", f"{BOTH} --verify --nameserver {CLOSED} --dns-failure tempfail"),
    ),
    "one of two": (
        ours("filter-rdns", f"{BOTH} --verify --nameserver {CLOSED} --nameserver 127.0.0.1:53"),
    ),
}
SPARED = "# a host, a network, a domain\n192.0.2.5\n2001:db8::/126\n*.example.net\n"


def prepare(guide: Guide) -> None:
    (guide.view / "etc/mail/spared").write_text(SPARED)
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("actions", prepare), indirect=True, ids=str)


@pytest.fixture(autouse=True, scope="module")
def mute() -> Iterator[None]:
    with NameServer({}, (MUTE, 53)) as server:
        server.dead = True
        yield


def come(lab: Lab, address: str, title: str, helo: str = "good.example.net") -> Fate:
    return visit(lab, address, port(CHAINS, title), helo)


@pytest.mark.parametrize(
    ("title", "address", "reply"),
    [
        ("reject", NO_PTR, f"554 5.7.25 {NO_PTR} (-): {NO_PTR} has no name in the DNS"),
        ("reject", NO_PTR6, f"554 5.7.25 {NO_PTR6} (-): {NO_PTR6} has no name in the DNS"),
        ("reject plainly", NO_PTR, "550 5.7.25 Reverse DNS validation failed"),
        ("reject plainly", LYING_PTR6, "550 5.7.25 Reverse DNS validation failed"),
        ("disconnect", NO_PTR, "550 5.7.25 Reverse DNS validation failed"),
        ("disconnect for now", NO_PTR, "421 4.7.25 Not now"),
        ("tempfail", NO_PTR, "451 4.7.25 Reverse DNS validation failed"),
    ],
)
def test_refusals(lab: Lab, title: str, address: str, reply: str) -> None:
    assert come(lab, address, title).place == reply
    assert come(lab, CONFIRMED_PTR, title).place == "inbox"


@pytest.mark.parametrize(
    ("address", "reasons"),
    [
        (
            NO_PTR,
            [
                b"X-Spam-Reason: rdns; 192.0.2.5 has no name in the DNS",
                b"X-Spam-Reason: fcrdns; 192.0.2.5 has no name in the DNS",
            ],
        ),
        (LYING_PTR, [b"X-Spam-Reason: fcrdns; lying.example.net does not lead to 192.0.2.6"]),
        (CONFIRMED_PTR, []),
    ],
)
def test_a_header_that_says_why(lab: Lab, address: str, reasons: list[bytes]) -> None:
    said = come(lab, address, "header")
    assert said.place == "inbox"
    assert said.fields(b"X-Spam") == reasons
    junked = come(lab, address, "junk and header")
    assert junked.place == (".Junk" if reasons else "inbox")
    assert sorted(junked.fields(b"X-Spam")) == sorted([*reasons, *[b"X-Spam: Yes"][: len(reasons)]])


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (NO_PTR, "inbox"),  # the host
        ("192.0.2.103", ".Junk"),  # no name, and none of these
        ("2001:db8::6", ".Junk"),
        (LYING_PTR, ".Junk"),  # a name in the domain, but it is not confirmed
    ],
)
def test_whom_a_file_spares(lab: Lab, address: str, place: str) -> None:
    assert come(lab, address, "exempt").place == place


def test_the_file_is_read_again(lab: Lab) -> None:
    file = lab.guide.view / "etc/mail/spared"
    filters = lab.server.filters("filter-rdns")
    assert come(lab, "192.0.2.103", "exempt").place == ".Junk"
    try:
        for turn, text in enumerate((f"{SPARED}192.0.2.103\n", "192.0.2.0/33\n"), start=1):
            file.write_text(text)
            for pid in filters:
                os.kill(pid, signal.SIGHUP)
            wait_for(lab, "reload", len(filters) * turn)
            assert come(lab, "192.0.2.103", "exempt").place == "inbox"
    finally:
        file.write_text(SPARED)
    assert lab.log.count(" reload-failed ") == 1  # the network of the last one is none


def wait_for(lab: Lab, event: str, count: int) -> None:
    end = time.monotonic() + 30
    while len(re.findall(rf" {event}\S*", lab.log)) < count:
        assert time.monotonic() < end, lab.server.tail()
        time.sleep(0.02)


def alices(lab: Lab, address: str, title: str) -> Fate:
    """Log in as Alice, on the listener where that is optional, and send a mail."""
    with knock(address, port(CHAINS, title)) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        assert mail.send(client, LOCAL, LOCAL, mail.compose(LOCAL, LOCAL, title))[0] == 250
    delivered = lab.inbox.one()
    return Fate(delivered.folder, delivered.message)


@pytest.mark.parametrize("address", [NO_PTR, LYING_PTR])
def test_who_authenticates_is_spared(lab: Lab, address: str) -> None:
    assert alices(lab, address, "builtin").place == ".Junk"
    spared = alices(lab, address, "spare")
    assert spared.place == "inbox"
    assert spared.fields(b"X-Spam") == []
    stranger = come(lab, address, "spare")
    assert stranger.place == ".Junk"
    assert b"X-Spam: Yes" in stranger.fields(b"X-Spam")
    assert len(stranger.fields(b"X-Spam-Reason")) == {NO_PTR: 2, LYING_PTR: 1}[address]


def test_each_transaction_of_a_stranger_is_judged(lab: Lab) -> None:
    """Where the decision waits for AUTH it is the transaction's, not the session's."""
    with knock(NO_PTR, port(CHAINS, "spare")) as client:
        for number in range(2):
            message = mail.compose(STRANGER, LOCAL, f"number {number}")
            assert mail.send(client, STRANGER, LOCAL, message)[0] == 250
    assert [one.folder for one in lab.inbox.take(2)] == [".Junk", ".Junk"]


def test_names_that_look_dynamic(lab: Lab) -> None:
    junked = come(lab, DYNAMIC, "dynamic")
    assert junked.place == ".Junk"
    assert junked.fields(b"X-Spam-Reason") == [
        b"X-Spam-Reason: dynamic; ip-192-0-2-109.dyn.example.net looks dynamic:"
        b" the address stands in it"
    ]
    assert come(lab, CONFIRMED_PTR, "dynamic").place == "inbox"


@pytest.mark.parametrize(
    ("helo", "place"),
    [
        ("good.example.net", "inbox"),
        ("Good.Example.NET", "inbox"),
        ("outside.example.org", "inbox"),  # it has an MX and no address
        (f"[{CONFIRMED_PTR}]", "inbox"),
        ("gone.example.net", ".Junk"),
        ("DESKTOP-1", "550 5.5.2 A full host name is expected"),
        ("[224.0.0.1]", "550 5.5.2 A full host name is expected"),
        ("[192.0.2.8]", "inbox"),
        ("[10.0.0.1]", "inbox"),
        ("localhost", "550 5.7.1 Not you, localhost"),
        ("localhost.localdomain", "550 5.7.1 Not you, localhost.localdomain"),
        ("[127.0.0.1]", "550 5.7.1 Not you, [127.0.0.1]"),
        ("127.0.0.1", "550 5.7.1 Not you, 127.0.0.1"),
        ("[IPv6:::1]", "550 5.7.1 Not you, [IPv6:::1]"),
        ("[::ffff:127.0.0.1]", "550 5.7.1 Not you, [::ffff:127.0.0.1]"),
        ("[0.0.0.0]", "550 5.7.1 Not you, [0.0.0.0]"),
        ("[203.0.113.9]", "550 5.7.1 Not you, [203.0.113.9]"),
        ("192.0.2.7", "550 5.5.2 A full host name is expected"),
        ("example.com", "550 5.7.1 Not you, example.com"),
        ("MX.Example.com", "550 5.7.1 Not you, MX.Example.com"),
        ("[192.168.0.1]", "550 5.7.1 Not you, [192.168.0.1]"),
        ("broken.example.net", "inbox"),  # nobody knows, nobody is to blame
    ],
)
def test_helo(lab: Lab, helo: str, place: str) -> None:
    assert come(lab, CONFIRMED_PTR, "helo", helo).place == place


@pytest.mark.parametrize("title", ["closed", "mute"])
@pytest.mark.parametrize("address", [NO_PTR, LYING_PTR6])
def test_mail_flows_without_a_name_server(lab: Lab, title: str, address: str) -> None:
    """And nobody is junked: smtpd's own verdict is not taken instead.

    With that, all are: it says ``fail`` of whom its own name server does not know, after 75 s
    where that one is silent.
    """
    assert come(lab, address, title).place == "inbox"


def test_without_a_name_server_clients_may_be_told_to_come_again(lab: Lab) -> None:
    reply = come(lab, NO_PTR, "closed, tempfail").place
    assert reply == "451 4.7.25 Reverse DNS validation failed"


def test_the_second_name_server_helps(lab: Lab) -> None:
    assert come(lab, NO_PTR, "one of two").place == ".Junk"
    assert come(lab, CONFIRMED_PTR, "one of two").place == "inbox"


def test_nothing_failed(lab: Lab) -> None:
    assert "handler-failed" not in lab.log
    with pytest.raises(smtplib.SMTPConnectError):
        knock(NO_PTR, port(CHAINS, "reject"))
