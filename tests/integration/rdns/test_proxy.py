"""Clients that a proxy announces by ``proxy-v2``, some with IPv4-mapped addresses."""

import re
import smtplib
import socket
import struct
from ipaddress import ip_address
from typing import Any

import pytest

from integration.dnsbl.test_lists import LISTS
from integration.support.dns_scenes import BUILTIN_RDNS, NAME, Chains, Fate, listen, ours, port
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, CONFIRMED_PTR6, LYING_PTR, NO_PTR, NO_PTR6
from lab.root.namespace import OUTSIDE_MX, SERVER4
from lab.shows import moves
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, setups

CHAINS: Chains = {
    "builtin": (BUILTIN_RDNS,),
    "rdns": (ours("filter-rdns", "--fcrdns junk --header"),),
    "strict": (ours("filter-rdns", "--dns-failure reject"),),
    "verify": (ours("filter-rdns", "--verify --fcrdns junk --header"),),
    "exempt": (ours("filter-rdns", "--dns-failure reject --exempt /etc/mail/spared"),),
    "helo": (ours("filter-rdns", "--rdns off --helo-ours reject"),),
    "dnsbl": (ours("filter-dnsbl", "--junk-at 1 bl.test"),),
}
MAPPED = "::ffff:"
REFUSAL = "550 5.7.25 Reverse DNS validation failed"
BOTH = ("rdns", "fcrdns")
WHY = "was looked up by smtpd as an IPv4-mapped address, which has no name"


def prepare(guide: Guide) -> None:
    (guide.view / "etc/mail/spared").write_text("192.0.2.4/30\n")
    listen(guide, CHAINS)
    conf = guide.view / moves.CONF[1:]
    conf.write_text(re.sub(r"port (26\d\d) tls", r"port \1 proxy-v2 tls", conf.read_text()))
    moves.check(guide)


pytestmark = pytest.mark.parametrize("running", setups("proxy", prepare), indirect=True, ids=str)


def header(address: str) -> bytes:
    """Return a header of the PROXY protocol, version 2: a client and where it went."""
    client = ip_address(address)
    there = ip_address("192.0.2.1" if client.version == 4 else "2001:db8::1")
    ends = client.packed + there.packed + struct.pack("!HH", 4711, 25)
    kind = b"\x21" + (b"\x11" if client.version == 4 else b"\x21")
    return b"\r\n\r\n\0\r\nQUIT\n" + kind + struct.pack("!H", len(ends)) + ends


class Proxied(smtplib.SMTP):
    """A client behind a proxy."""

    def __init__(self, address: str, number: int, helo: str) -> None:
        self.header = header(address)
        super().__init__(
            SERVER4, number, local_hostname=helo, timeout=60, source_address=(OUTSIDE_MX, 0)
        )

    def _get_socket(self, *arguments: Any) -> socket.socket:
        connected: socket.socket = super()._get_socket(*arguments)  # type: ignore[misc]
        connected.sendall(self.header)
        return connected


def come(lab: Lab, address: str, title: str, helo: str = NAME) -> Fate:
    message = mail.compose(STRANGER, LOCAL, f"{address} at {title}")
    try:
        with Proxied(address, port(CHAINS, title), helo) as client:
            client.ehlo_or_helo_if_needed()
            code, text = mail.send(client, STRANGER, LOCAL, message)
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        return Fate(f"{error.smtp_code} {said.decode() if isinstance(said, bytes) else said}")
    if code != 250:
        return Fate(f"{code} {text.decode()}")
    delivered = lab.inbox.one()
    return Fate(delivered.folder, delivered.message)


@pytest.mark.parametrize("address", [NO_PTR, LYING_PTR, CONFIRMED_PTR])
def test_the_builtin_filter_blames_a_mapped_client(lab: Lab, address: str) -> None:
    """What is compared: smtpd finds no name, even for a client that has one."""
    assert come(lab, MAPPED + address, "builtin").place == ".Junk"


@pytest.mark.parametrize("address", [NO_PTR, LYING_PTR, CONFIRMED_PTR])
def test_smtpd_does_not_know(lab: Lab, address: str) -> None:
    said = come(lab, MAPPED + address, "rdns")
    assert said.place == "inbox"
    assert said.fields(b"X-Spam-Reason") == [
        f"X-Spam-Reason: {check}; {address} {WHY}".encode() for check in BOTH
    ]
    assert f'reason="{address} {WHY}"' in lab.log


def test_the_administrator_may_insist(lab: Lab) -> None:
    assert come(lab, MAPPED + CONFIRMED_PTR, "strict").place == REFUSAL


@pytest.mark.parametrize(
    ("address", "reasons"),
    [
        (MAPPED + CONFIRMED_PTR, []),
        (CONFIRMED_PTR, []),
        (CONFIRMED_PTR6, []),
        (
            MAPPED + NO_PTR,
            [f"{check}; {NO_PTR} has no name in the DNS" for check in BOTH],
        ),
        (NO_PTR6, [f"{check}; {NO_PTR6} has no name in the DNS" for check in BOTH]),
        (MAPPED + LYING_PTR, [f"fcrdns; lying.example.net does not lead to {LYING_PTR}"]),
    ],
)
def test_the_dns_knows(lab: Lab, address: str, reasons: list[str]) -> None:
    said = come(lab, address, "verify")
    assert said.place == (".Junk" if reasons else "inbox")
    fields = [f"X-Spam-Reason: {reason}".encode() for reason in reasons]
    assert said.fields(b"X-Spam-Reason") == fields


def test_a_file_spares_a_mapped_client(lab: Lab) -> None:
    assert come(lab, MAPPED + NO_PTR, "exempt").place == "inbox"
    assert come(lab, f"{MAPPED}192.0.2.103", "exempt").place == REFUSAL


@pytest.mark.parametrize("helo", ["[IPv6:::1]", "[127.0.0.1]", f"[{SERVER4}]"])
def test_a_mapped_client_greets_with_our_address(lab: Lab, helo: str) -> None:
    assert come(lab, MAPPED + CONFIRMED_PTR, "helo").place == "inbox"
    said = come(lab, MAPPED + CONFIRMED_PTR, "helo", helo)
    assert said.place == "550 5.7.1 That is not your name"


def test_lists_are_asked_for_the_ipv4_address(lab: Lab) -> None:
    lab.dns.records = {**lab.dns.records, **LISTS}
    assert come(lab, MAPPED + CONFIRMED_PTR, "dnsbl").place == ".Junk"
    assert come(lab, MAPPED + NO_PTR, "dnsbl").place == "inbox"
