"""DNS lists as the administrator chose them, and the questions to them (RFC 5782)."""

import re
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from opensmtpd.dns import Question, RecordType
from opensmtpd.dns.names import address, is_query_name, reversed_labels
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client, IPAddress
from opensmtpd.mail.dnsbl.return_codes import Mask

_KEY = re.compile(
    r"[^\s'\"]+?\.((?:[\w-]+\.)?(?:mail\.abusix\.zone|dq\.spamhaus\.net))", re.IGNORECASE
)
"""A customer's key, and the name of the list behind it."""


class Subject(StrEnum):
    """The property of a client that a list is asked for."""

    ADDRESS = "address"
    RDNS = "rdns"
    HELO = "helo"
    SENDER = "sender"


class List(NamedTuple):
    """A list, with the flags that the administrator gave it."""

    zone: str
    """Its zone, lower case, without a final dot. It may hold a customer's key: show ``shown``."""
    shown: str
    """Its name as the administrator wrote it, without the key."""
    subject: Subject = Subject.ADDRESS
    allow: bool = False
    """True for an allow list: the clients that it lists are exempt."""
    masks: tuple[Mask, ...] = ()
    """The return codes that count; empty for all but one: see ``return_codes.listed``."""
    score: int = 1
    text: str = ""
    """The template for the text of a refusal, empty for the usual one."""

    def subject_of(self, client: Client) -> IPAddress | str | None:
        """Return the client's address or name that the list is to be asked for, None for nothing.

        A name is in lower case, without a final dot.
        """
        if self.subject is Subject.ADDRESS:
            return client.address
        if self.subject is Subject.HELO:
            return client.helo_name or None
        if self.subject is Subject.SENDER:
            return client.domain
        # The owner of an address can give it any name: only a confirmed one may speak for him.
        return client.rdns if client.fcrdns == "pass" or not self.allow else None

    def question(self, who: IPAddress | str) -> Question | None:
        """Return the question for an address or a name, None where there cannot be one.

        It is for the A record of the reversed address (RFC 5782 sections 2.1 and 2.4), or of the
        name (section 2.2), in the list's zone.
        """
        if not isinstance(who, str):
            name = f"{reversed_labels(who)}.{self.zone}"
        elif address(who) is None:
            name = f"{who}.{self.zone}"
        else:
            return None  # a list of names may block clients that ask for addresses
        return Question(name, RecordType.A) if is_query_name(name) else None

    @property
    def probe(self) -> Question:
        """Return the question for the entry that no list may have (RFC 5782 section 5)."""
        return _probe(self.subject, self.zone)

    @property
    def probed(self) -> str:
        """Return that entry, for people."""
        return "127.0.0.1" if self.subject is Subject.ADDRESS else "the name invalid"

    @property
    def spares(self) -> bool:
        """Return whether a listing is in the client's favor."""
        return self.allow or self.score < 0

    @property
    def wants_text(self) -> bool:
        """Return whether the text of a refusal has the list's TXT record."""
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
    # A question has a reversed IPv6 address in front of the zone.
    if not is_query_name(f"{'0.' * 32}{zone}"):
        remedy = "letters, digits, hyphens and dots, at most 189 characters: zen.spamhaus.org"
        raise ConfigError(f"{public!r} is no name of a list", remedy=remedy)
    return List(zone, public)


def without_keys(text: str) -> str:
    """Return a text without the customers' keys in it, which are secrets."""
    return _KEY.sub(r"\1", text)
