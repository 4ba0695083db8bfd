"""Names and addresses as the DNS has them."""

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

__all__ = ["NAME_MAX", "address", "is_ipv4", "is_query_name", "is_wire_name", "reversed_labels"]

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
    if is_query_name(name):  # nearly all are, and the pattern is faster
        return True
    if not 0 < len(name) <= NAME_MAX or max(name) > "\xff":
        return False
    return all(0 < len(label) <= LABEL_MAX for label in name.split("."))


def reverse_name(address: IPv4Address | IPv6Address) -> str:
    """Return the name whose PTR records are the names of an address.

    It is ``address.reverse_pointer`` (RFC 1035 section 3.5, RFC 3596 section 2.5), without a detour
    by the text of the address: each client has one, and that took 3 to 10 µs.
    """
    if address.version == 4:
        return "{}.{}.{}.{}.in-addr.arpa".format(*address.packed[::-1])
    return ".".join(address.packed.hex()[::-1]) + ".ip6.arpa"


@lru_cache(maxsize=16)  # the lists that are asked about a client come one after another
def reversed_labels(address: IPv4Address | IPv6Address) -> str:
    """Return the labels in front of a DNS list's name (RFC 5782 sections 2.1 and 2.4)."""
    return reverse_name(address).removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def address(text: str | bytes) -> IPv4Address | IPv6Address | None:
    """Return the address in ``192.0.2.1``, ``2001:db8::1`` or ``[2001:db8::1]``, else None.

    IPv4-mapped IPv6 is IPv4 (RFC 4291 section 2.5.5.2); a zone (``%eth0``) is left out.
    """
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    found = _read(text.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def is_ipv4(text: str) -> bool:
    """Return whether this is an IPv4 address as inet_ntop(3) and ``str(IPv4Address)`` write it.

    ``ip_address`` reads an IPv4 address in no other form: it refuses ``192.0.2.01``.
    """
    try:
        return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, text)) == text
    except (OSError, ValueError):
        return False


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Return what ``ip_address`` reads in a text, None for nothing.

    Each client has an address and a name that is none, and ``ip_address`` takes 4 to 10 µs for
    either. So what cannot be an address is told by a character, and an IPv4 address is read by C.
    """
    if ":" not in text:
        if not text[-1:].isdigit():
            return None
        if is_ipv4(text):
            return IPv4Address(socket.inet_pton(socket.AF_INET, text))
    try:
        return ip_address(text)
    except ValueError:
        return None
