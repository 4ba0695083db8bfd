"""Checks of the argument of HELO and EHLO: RFC 5321 sections 4.1.1.1 and 4.1.3."""

import re
from collections.abc import Collection

from opensmtpd.dns.names import address, is_query_name
from opensmtpd.mail.client import Client, IPAddress

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
"""A label. RFC 5321 allows no underscore in a host name, but many hosts that send mail have one."""
_LITERAL = re.compile(r"\[(?:ipv6:)?([0-9a-f.:]+)\]")

_LOCALHOST = frozenset(
    ["localhost", "localhost.localdomain", "localhost4.localdomain4", "localhost6.localdomain6"]
)
"""Names of the own machine in the hosts(5) of most systems."""


def literal(identity: str) -> IPAddress | None:
    """Return the address in ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``, lower case; else None."""
    match = _LITERAL.fullmatch(identity)
    return address(match[1]) if match else None


def is_name(identity: str) -> bool:
    """Return whether it is the full name of a host, or the address of a host in brackets."""
    claimed = literal(identity)
    if claimed is not None:
        return _is_host(claimed)
    labels = identity.split(".")
    sound = is_query_name(identity) and all(map(_LABEL.fullmatch, labels))
    # A last label of digits alone belongs to an address without its brackets.
    return sound and len(labels) > 1 and not labels[-1].isdigit()


def _is_host(address: IPAddress) -> bool:
    """Return whether a host may have an address: it is no multicast, broadcast or reserved one.

    Private ones count: hosts behind NAT know no other address of theirs.
    """
    if address.version == 6:
        return not address.is_multicast
    return address.packed[0] not in (0, *range(224, 256))


def is_ours(identity: str, client: Client, names: Collection[str]) -> bool:
    """Return whether the client claims one of our ``names`` (lower case) or addresses.

    ``names`` may be addresses, in brackets or not. Loopback, the unspecified address and localhost
    mean the own machine everywhere (RFC 6761 section 6.3), so they are ours as well: a client on
    this machine is not judged. An address that is neither ours nor the client's passes: the client
    must not be refused for that (RFC 5321 section 4.1.4).
    """
    if identity in names or identity in _LOCALHOST or identity.endswith(".localhost"):
        return True
    claimed = literal(identity) or address(identity)
    if claimed is None:
        return False
    if claimed.is_loopback or claimed.is_unspecified or claimed == client.listener:
        return True
    return any(claimed == (literal(name) or address(name)) for name in names)
