"""Clients with all sorts of names in the DNS, and what smtpd itself makes of each.

smtpd takes the first PTR, and looks that name up. It does not tell a failure from a lack: its
resolver makes no difference (``getnameinfo_async.c``, ``getaddrinfo_async.c`` of libasr), so the
verdict ``error`` is not among these.
"""

from ipaddress import ip_address
from typing import NamedTuple

import dns.rcode

from lab.peers.nameserver import Records, Rule, failing

NO_PTR = "192.0.2.5"
LYING_PTR = "192.0.2.6"
CONFIRMED_PTR = "192.0.2.7"
NO_PTR6 = "2001:db8::5"
LYING_PTR6 = "2001:db8::6"
CONFIRMED_PTR6 = "2001:db8::7"

UNKNOWN = "<unknown>"
SEEN = 64
"""Characters of a name that smtpd keeps on Linux (HOST_NAME_MAX), and looks up."""
LONG_NAME = "a-name-that-is-too-long-for-smtpd.but-not-for-the-dns.much.longer.ones.example.net"
LONGEST_NAME = ".".join(["x" * 60] * 4 + ["y" * 9])


class Client(NamedTuple):
    """One client."""

    title: str
    address: str
    pointers: list[str] | Rule | None
    """Its PTR records, in zone file form; None: there are none."""
    forward: Records
    """What the names have."""
    rdns: str
    """What smtpd says of it in ``link-connect``: its name …"""
    fcrdns: str
    """… and whether that is confirmed."""

    @property
    def records(self) -> Records:
        """All that the DNS knows about it."""
        pointers = {} if self.pointers is None else {(reverse(self.address), "PTR"): self.pointers}
        return {**self.forward, **pointers}


def reverse(address: str) -> str:
    """Return the name that an address's PTR records have."""
    return ip_address(address).reverse_pointer


def _confirmed(title: str, address: str, name: str, shown: str | None = None) -> Client:
    kind = "AAAA" if ":" in address else "A"
    forward: Records = {(name.lower(), kind): [address]}
    return Client(title, address, [f"{name}."], forward, shown or name, "pass")


CLIENTS = (
    Client("no PTR", NO_PTR, None, {}, UNKNOWN, "fail"),
    Client("lying PTR", LYING_PTR, ["lying.example.net."],
           {("lying.example.net", "A"): ["203.0.113.9"]}, "lying.example.net", "fail"),
    _confirmed("confirmed PTR", CONFIRMED_PTR, "good.example.net"),
    Client("no PTR, IPv6", NO_PTR6, None, {}, UNKNOWN, "fail"),
    Client("lying PTR, IPv6", LYING_PTR6, ["lying6.example.net."],
           {("lying6.example.net", "AAAA"): ["2001:db8:1::9"]}, "lying6.example.net", "fail"),
    _confirmed("confirmed PTR, IPv6", CONFIRMED_PTR6, "good6.example.net"),
    _confirmed("name in capitals", "192.0.2.100", "Mail.EXAMPLE.net"),
    Client("two PTRs, the first confirmed", "192.0.2.101",
           ["first.example.net.", "second.example.net."],
           {("first.example.net", "A"): ["192.0.2.101"]}, "first.example.net", "pass"),
    Client("two PTRs, the second confirmed", "192.0.2.102",
           ["other.example.net.", "own.example.net."],
           {("own.example.net", "A"): ["203.0.113.1", "192.0.2.102"]},
           "other.example.net", "fail"),
    Client("PTR fails", "192.0.2.103", failing(), {}, UNKNOWN, "fail"),
    Client("PTR is refused", "192.0.2.104", failing(dns.rcode.REFUSED), {}, UNKNOWN, "fail"),
    Client("forward fails", "192.0.2.105", ["broken.example.net."],
           {("broken.example.net", "A"): failing()}, "broken.example.net", "fail"),
    Client("name does not exist", "192.0.2.106", ["gone.example.net."], {},
           "gone.example.net", "fail"),
    Client("name of the other family", "192.0.2.107", ["six.example.net."],
           {("six.example.net", "AAAA"): ["2001:db8::107"]}, "six.example.net", "fail"),
    Client("no data for PTR", "192.0.2.108", None,
           {(reverse("192.0.2.108"), "TXT"): ["something"]}, UNKNOWN, "fail"),
    _confirmed("dynamic name", "192.0.2.109", "ip-192-0-2-109.dyn.example.net"),
    Client("name of 82 characters", "192.0.2.110", [f"{LONG_NAME}."],
           {(LONG_NAME, "A"): ["192.0.2.110"]}, LONG_NAME[:SEEN], "fail"),
    Client("PTR is an address", "192.0.2.111", ["192.0.2.111."],
           {("192.0.2.111", "A"): ["192.0.2.111"]}, "192.0.2.111", "pass"),
    Client("PTR says localhost", "192.0.2.112", ["localhost."], {}, "localhost", "fail"),
    Client("PTR by way of a CNAME", "192.0.2.113", None,
           {(reverse("192.0.2.113"), "CNAME"): ["113.sub.2.0.192.in-addr.arpa."],
            ("113.sub.2.0.192.in-addr.arpa", "PTR"): ["delegated.example.net."],
            ("delegated.example.net", "A"): ["192.0.2.113"]}, "delegated.example.net", "pass"),
    Client("name is a CNAME", "192.0.2.114", ["alias.example.net."],
           {("alias.example.net", "CNAME"): ["real.example.net."],
            ("real.example.net", "A"): ["192.0.2.114"]}, "alias.example.net", "pass"),
    Client("CNAME loop", "192.0.2.115", None,
           {(reverse("192.0.2.115"), "CNAME"): ["loop.example.net."],
            ("loop.example.net", "CNAME"): [f"{reverse('192.0.2.115')}."]}, UNKNOWN, "fail"),
    Client("a bar in the name", "192.0.2.116", ["a\\124b.example.net."],
           {("a\\124b.example.net", "A"): ["192.0.2.116"]}, UNKNOWN, "fail"),
    Client("a space in the name", "192.0.2.117", ["a\\032b.example.net."],
           {("a\\032b.example.net", "A"): ["192.0.2.117"]}, UNKNOWN, "fail"),
    Client("a line feed in the name", "192.0.2.118", ["a\\010report.example.net."],
           {("a\\010report.example.net", "A"): ["192.0.2.118"]}, UNKNOWN, "fail"),
    Client("octets above 127", "192.0.2.119", ["a\\255\\200.example.net."],
           {("a\\255\\200.example.net", "A"): ["192.0.2.119"]}, UNKNOWN, "fail"),
    _confirmed("underscore in the name", "192.0.2.120", "_dmarc_x.example.net"),
    Client("the root as its name", "192.0.2.121", ["."], {}, "", "fail"),
    Client("1,000 PTRs", "192.0.2.122", [f"n{n}.example.net." for n in range(1000)],
           {("n0.example.net", "A"): ["192.0.2.122"]}, "n0.example.net", "pass"),
    Client("name of 253 characters", "192.0.2.123",
           [f"{LONGEST_NAME}."], {(LONGEST_NAME, "A"): ["192.0.2.123"]},
           LONGEST_NAME[:SEEN], "fail"),
)  # fmt: skip
