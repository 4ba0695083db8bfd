"""The addresses of this machine: nothing is sent to find them."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_WORLD = {socket.AF_INET: "198.41.0.4", socket.AF_INET6: "2001:503:ba3e::2:30"}
"""Addresses far away (a.root-servers.net): the system chooses how to get there."""
_HIDDEN = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
         "169.254.0.0/16", "0.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128", "::/128"),
    )
)  # fmt: skip
"""Networks of which the world sees other addresses: RFC 1918, RFC 6598, RFC 4193, and our own."""


def is_hidden(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is a private one, which the world does not see."""
    return any(address in network for network in _HIDDEN)


def outgoing() -> list[IPv4Address | IPv6Address]:
    """Return the addresses that the system chooses for connections to the world, at most two.

    A private IPv6 address is none of them: the world cannot be reached from it.
    """
    found = [ip_address(text) for family in _WORLD if (text := _towards(family))]
    return [each for each in found if each.version == 4 or not is_hidden(each)]


def is_own(address: IPv4Address | IPv6Address) -> bool:
    """Return whether this machine has an address."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as end:
            end.bind((str(address), 0))
    except OSError:
        return False
    return True


def _towards(family: socket.AddressFamily) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as end:
            end.connect((_WORLD[family], 53))  # of UDP: no packet leaves
            return str(end.getsockname()[0])
    except OSError:
        return ""
