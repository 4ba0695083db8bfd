"""Names and addresses as the DNS has them."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

__all__ = ["NAME_MAX", "address", "is_query_name", "is_wire_name", "reversed_labels"]

NAME_MAX = 253
"""Characters of a name without its final dot: 255 octets on the wire (RFC 1035 section 2.3.4)."""

LABEL_MAX = 63
"""Octets of a label (RFC 1035 section 2.3.4)."""

# A host name has no underscore (RFC 1123 section 2.1); other names in the DNS have.
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII | re.IGNORECASE)


def is_query_name(name: str) -> bool:
    """Return whether this is a usual name: letters, digits, hyphens, underscores.

    A label has 63 characters at most (RFC 1035 section 2.3.4).
    """
    return len(name) <= NAME_MAX and _NAME.fullmatch(name) is not None


def is_wire_name(name: str) -> bool:
    """Return whether a question can be about this name: any octets, but a dot within a label.

    Each character stands for an octet (RFC 2181 section 11). Labels have 1 to 63, as above.
    """
    if not 0 < len(name) <= NAME_MAX or max(name) > "\xff":
        return False
    return all(0 < len(label) <= LABEL_MAX for label in name.split("."))


def reversed_labels(address: IPv4Address | IPv6Address) -> str:
    """Return the labels in front of a DNS list's name (RFC 5782 sections 2.1 and 2.4)."""
    return address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def address(text: str | bytes) -> IPv4Address | IPv6Address | None:
    """Return the address in ``192.0.2.1``, ``2001:db8::1`` or ``[2001:db8::1]``, else None.

    IPv4-mapped IPv6 is IPv4 (RFC 4291 section 2.5.5.2); a zone (``%eth0``) is left out.
    """
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
