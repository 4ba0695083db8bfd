"""Names that look as if a provider had given them to its customers' lines, by the thousand.

Such a name holds the address, or says what kind of line it is. Most mail servers have better ones,
and most machines that somebody else runs programs on have not.
"""

import re
from ipaddress import IPv4Address

from opensmtpd.screen.client import IPAddress

PROPER = re.compile(
    r"""
    (?:static|sta|fix|fixed)(?:ip)?\d* | biz | business
    | (?:e?mail|mta|mx|smtp)(?:s|er|ers|out|in|relay|gate|gateway|gw|host|srv|server)?\d*
    | (?:out(?:bound|going)?|relay|send(?:er)?)\d*
    """,
    re.VERBOSE,
)
"""Words that make a line somebody's own, or that say that mail comes from there."""

SENDERS = frozenset({"mailgun.net", "mandrillapp.com", "messagelabs.com", "rsgsv.net"})
"""Senders of mail for others who name their hosts by the address and nothing else."""

WORDS = re.compile(
    r"""
    (?:[avxsh]|hdsl|vd|ad|sd)?dsl\d*            # DSL of all kinds
    | dyn(?:amic)?(?:-?ip|dsl|host)?\d*         # said outright
    | (?:dial|dialin|dialup|dip|ppp|pppoe|modem|isdn|analog)\d*
    | dhcp\d* | ippools?\d* | bras\d* | cgn(?:at)?\d*
    | (?:cable|catv|docsis|hfc|cmts)\d*
    | (?:ftt[bchx]|gpon|broadband|wimax|gprs|umts|lte)\d*
    | cpe\d* | subscribers?\d* | unassigned | unused | noptr
    """,
    re.VERBOSE,
)
"""A word of a name (what stands between dots, hyphens and underscores) that tells a line."""

_SEPARATOR = re.compile(r"[._-]+")
_REGISTRY = re.compile(r"ac|com?|edu|gen|gob?|gouv|gov|net?|nom|org?|sch")
"""Second labels under which countries register names."""


def provider(name: str) -> str:
    """Return the end of a host's name that is its provider's own, whatever it says.

    A guess that is right for nearly all names: two labels, three as in ``example.co.uk``.
    """
    labels = name.split(".")
    shared = (
        len(labels) > 2 and len(labels[-1]) == 2 and _REGISTRY.fullmatch(labels[-2]) is not None
    )
    return ".".join(labels[-3 if shared else -2 :])


def looks_dynamic(name: str, address: IPAddress) -> str | None:
    """Return what is dynamic about a client's name (lower case), None where nothing is."""
    zone = provider(name)
    own = name.removesuffix(zone).rstrip(".")
    words = [word for word in _SEPARATOR.split(own) if word]
    if zone in SENDERS or any(PROPER.fullmatch(word) for word in words):
        return None
    if _holds_v4(own, address) if isinstance(address, IPv4Address) else _holds_v6(own, address):
        return "the address stands in it"
    found = next((word for word in words if WORDS.fullmatch(word)), None)
    return None if found is None else f"{found!r} stands in it"


def _holds_v4(own: str, address: IPv4Address) -> bool:
    octets = list(address.packed)
    # In sequence with anything but digits in between, forwards or backwards, three of four will do.
    numbers = [int(text) for text in re.findall(r"\d+", own) if len(text) <= 3]
    for order in (octets, octets[::-1]):
        for part in (order[:3], order[1:]):
            if any(numbers[at : at + 3] == part for at in range(len(numbers) - 2)):
                return True
    padded = "".join(f"{octet:03}" for octet in octets)
    backwards = "".join(f"{octet:03}" for octet in octets[::-1])
    runs = re.findall(r"\d{8,}", own)
    plain = {padded, backwards, str(int(address))}
    hexadecimal = {address.packed.hex(), address.packed[::-1].hex()}
    pairs = re.findall(r"(?<![0-9a-f])[0-9a-f]{8}(?![0-9a-f])", own)
    return any(run in plain for run in runs) or any(pair in hexadecimal for pair in pairs)


def _holds_v6(own: str, address: IPAddress) -> bool:
    nibbles = address.packed.hex()
    digits = re.sub(r"[._-]", "", own)
    interface = nibbles[16:]
    if interface in digits or nibbles[::-1][:16] in digits:
        return True
    # Groups without their zeros in front, as people write them.
    groups = [f"{int(nibbles[at : at + 4], 16):x}" for at in range(0, 32, 4)]
    words = re.split(r"[^0-9a-f]+", own)
    short = [group for group in groups if group != "0"]
    parts = [words[at : at + len(short)] for at in range(len(words))]
    return len(short) >= 4 and short in parts
