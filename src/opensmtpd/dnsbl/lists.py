"""DNS lists as the administrator chose them, and what they are asked (RFC 5782)."""

import re
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from opensmtpd.dns import Question, RecordType
from opensmtpd.dns.names import address, is_query_name, reversed_labels
from opensmtpd.dnsbl.masks import Mask
from opensmtpd.errors import ConfigError

_KEY = re.compile(
    r"[^\s'\"]+?\.((?:[\w-]+\.)?(?:mail\.abusix\.zone|dq\.spamhaus\.net))", re.IGNORECASE
)
"""A key of a customer, and behind it the name of a list."""


class Subject(StrEnum):
    """What a list is asked for."""

    ADDRESS = "address"
    RDNS = "rdns"
    HELO = "helo"
    SENDER = "sender"


class Visitor(NamedTuple):
    """Whom lists are asked for. Names: lower case, no final dot, None where there is none."""

    address: IPv4Address | IPv6Address | None
    rdns: str | None = None
    confirmed: bool = False
    """Does that name lead back to the address?"""
    helo: str | None = None
    sender: str | None = None
    """The domain of the sender."""


class List(NamedTuple):
    """A list."""

    zone: str
    """Lower case, without a final dot. May hold a key: ``shown`` is for others' eyes."""
    shown: str
    """Its name as it was given, without the key."""
    subject: Subject = Subject.ADDRESS
    allow: bool = False
    """Are those that it lists spared?"""
    masks: tuple[Mask, ...] = ()
    """The return codes that count; none: all."""
    score: int = 1
    text: str = ""
    """For who is refused because of it: a template, empty for the usual one."""

    def subject_of(self, visitor: Visitor) -> IPv4Address | IPv6Address | str | None:
        """Return what the list is to be asked for, None for nothing."""
        if self.subject is Subject.RDNS and self.allow and not visitor.confirmed:
            return None  # anybody can give an address of his the name of somebody else
        who: IPv4Address | IPv6Address | str | None = getattr(visitor, self.subject)
        return who

    def question(self, who: IPv4Address | IPv6Address | str) -> Question | None:
        """Return the question for an address or a name, None where it cannot be asked for.

        The A record of the address backwards, or of the name, in the zone (sections 2.1, 2.4, 2.2).
        """
        if not isinstance(who, str):
            name = f"{reversed_labels(who)}.{self.zone}"
        elif address(who) is None:
            name = f"{who}.{self.zone}"
        else:
            return None  # lists of names take addresses ill
        return Question(name, RecordType.A) if is_query_name(name) else None

    @property
    def probe(self) -> Question:
        """Return the question for what no list may list (section 5)."""
        return _probe(self.subject, self.zone)

    @property
    def probed(self) -> str:
        """Return what that is, for people."""
        return "127.0.0.1" if self.subject is Subject.ADDRESS else "the name invalid"

    @property
    def spares(self) -> bool:
        """Does the list speak for those whom it lists?"""
        return self.allow or self.score < 0

    @property
    def wants_text(self) -> bool:
        """Is there use for what the list says of who is listed?"""
        return "{txt}" in self.text


@cache
def _probe(subject: Subject, zone: str) -> Question:
    labels = "1.0.0.127" if subject is Subject.ADDRESS else "invalid"
    return Question(f"{labels}.{zone}", RecordType.A)


def named(name: str) -> List:
    """Return the list of this name, to be asked for addresses. Raises ConfigError."""
    zone = name.lower().removesuffix(".")
    public = without_keys(name).removesuffix(".")
    if address(zone) is not None:
        remedy = "name a list; the return codes that it may have stand behind -e"
        raise ConfigError(f"{public!r} is an address", remedy=remedy)
    # Room for an IPv6 address backwards.
    if not is_query_name(f"{'0.' * 32}{zone}"):
        remedy = "letters, digits, hyphens and dots, at most 189 characters: zen.spamhaus.org"
        raise ConfigError(f"{public!r} is no name of a list", remedy=remedy)
    return List(zone, public)


def without_keys(text: str) -> str:
    """Return a text, the name of a list say, without customers' keys, which nobody may see."""
    return _KEY.sub(r"\1", text)
