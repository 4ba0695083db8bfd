"""Names that look dynamic: as providers give them to their customers' lines by the thousand.

Such a name holds the address, or a word for the kind of line. Most mail servers have other names;
most machines that send mail against their owner's will have such ones.
"""

import re
from ipaddress import IPv4Address

from opensmtpd.mail.client import IPAddress

PROPER = re.compile(
    r"""
    (?:static|sta|fix|fixed)(?:ip)?\d* | biz | business
    | (?:e?mail|mta|mx|smtp)(?:s|er|ers|out|in|relay|gate|gateway|gw|host|srv|server)?\d*
    | (?:out(?:bound|going)?|relay|send(?:er)?)\d*
    """,
    re.VERBOSE,
)
"""Words for a line with a fixed address, or for a host that sends mail."""

SENDERS = frozenset({"mailgun.net", "mandrillapp.com", "messagelabs.com", "rsgsv.net"})
"""Domains of mail services that name their hosts by the address alone."""

WORDS = re.compile(
    r"""
    (?:[avxsh]|hdsl|vd|ad|sd)?dsl\d*            # DSL of all kinds
    | dyn(?:amic)?(?:-?ip|dsl|host)?\d*         # "dynamic" itself
    | (?:dial|dialin|dialup|dip|ppp|pppoe|modem|isdn|analog)\d*
    | dhcp\d* | ippools?\d* | bras\d* | cgn(?:at)?\d*
    | (?:cable|catv|docsis|hfc|cmts)\d*
    | (?:ftt[bchx]|gpon|broadband|wimax|gprs|umts|lte)\d*
    | cpe\d* | subscribers?\d* | unassigned | unused | noptr
    """,
    re.VERBOSE,
)
"""Words for a customer's line. Dots, hyphens and underscores separate the words of a name."""

_SEPARATOR = re.compile(r"[._-]+")
_REGISTRY = re.compile(r"ac|com?|edu|gen|gob?|gouv|gov|net?|nom|org?|sch")
"""Second labels under which countries register names."""


def provider(name: str) -> str:
    """Return the provider's domain at the end of a host's name.

    The last two labels, or three as in ``example.co.uk``: a guess, right for nearly all names.
    """
    labels = name.split(".")
    shared = (
        len(labels) > 2 and len(labels[-1]) == 2 and _REGISTRY.fullmatch(labels[-2]) is not None
    )
    return ".".join(labels[-3 if shared else -2 :])


def looks_dynamic(name: str, address: IPAddress) -> str | None:
    """Return why a client's name (lower case) looks dynamic, None where it does not."""
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
    # Three of the four octets in sequence, forwards or backwards, with other characters in between.
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
    # Groups without leading zeros, as RFC 5952 section 4.1 writes them.
    groups = [f"{int(nibbles[at : at + 4], 16):x}" for at in range(0, 32, 4)]
    words = re.split(r"[^0-9a-f]+", own)
    short = [group for group in groups if group != "0"]
    parts = [words[at : at + len(short)] for at in range(len(words))]
    return len(short) >= 4 and short in parts
