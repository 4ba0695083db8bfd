"""Checks of the argument of HELO and EHLO: RFC 5321 sections 4.1.1.1 and 4.1.3."""

import re
from collections.abc import Collection

from opensmtpd.dns.names import address, is_query_name
from opensmtpd.mail.client import Client, IPAddress

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
"""A label. RFC 5321 allows no underscore in a host name, but many hosts that send mail have one."""
_LITERAL = re.compile(r"\[(?:ipv6:)?([0-9a-f.:]+)\]")


def literal(identity: str) -> IPAddress | None:
    """Return the address in ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``, lower case; else None."""
    match = _LITERAL.fullmatch(identity)
    return address(match[1]) if match else None


def is_name(identity: str) -> bool:
    """Return whether it is the full name of a host, or an address in brackets."""
    if literal(identity) is not None:
        return True
    labels = identity.split(".")
    sound = is_query_name(identity) and all(map(_LABEL.fullmatch, labels))
    # A last label of digits alone belongs to an address without its brackets.
    return sound and len(labels) > 1 and not labels[-1].isdigit()


def is_ours(identity: str, client: Client, names: Collection[str]) -> bool:
    """Return whether the client claims one of our ``names`` (lower case) or our address."""
    if identity in names:
        return True
    claimed = literal(identity) or address(identity)
    return claimed is not None and claimed == client.listener
