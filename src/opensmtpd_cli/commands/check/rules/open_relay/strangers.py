"""Strangers, and what they may say of themselves to get through a rule.

A client decides itself what it says in HELO and MAIL FROM, and whoever has an address decides what
name its PTR record has, which smtpd does not confirm before it asks its rules. So what a rule wants
there is taken from the rule's own tables.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import product
from typing import NamedTuple

from opensmtpd_cli.commands.check.rules.ruleset.matching import (
    Envelope,
    Ruleset,
    conditions,
    tables_of,
)
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.errors import Unsure
from opensmtpd_cli.smtpdconf.directives import MatchRule, TableRef

_NAME = "xq7-stranger"
"""A label that is in nobody's tables."""
HELO = f"mail.{_NAME}.net"
RDNS = f"client.{_NAME}.net"
SENDER = f"somebody@{_NAME}.net"
NAMELESS = "<unknown>"
"""The name that smtpd gives a client without one in the DNS."""
_NOBODY = "@"
RECIPIENTS = tuple(f"victim@{_NAME}.{top}" for top in ("com", "net", "org", "info", "de", "uk"))

WORLD4 = tuple(f"{first}.77.53.201" for first in range(3, 223, 14) if first not in (10, 127))
"""Addresses all over the Internet."""
WORLD6 = tuple(
    f"[{start}:77::53:201]" for start in ("2001:4d0", "2404", "2604", "2804", "2a04", "2c0f")
)

_DOMAINS = tuple(address.rpartition("@")[2] for address in RECIPIENTS)
KEYS = frozenset((HELO, RDNS, SENDER, _NOBODY, *RECIPIENTS, *_DOMAINS, *WORLD4, *WORLD6))
"""A word that stands in no table but by a pattern."""

_ROWS = 8
"""Rows of a table that are tried."""
_RULES = 16
"""Earlier rules whose tables are looked at."""
_TRIED = 4
"""Values of each kind that are tried."""
_HUGE = {4: 8, 6: 12}
"""Prefix lengths that no single organisation should let relay as a whole, and shorter ones."""


class Guise(NamedTuple):
    """Words that a stranger says of himself. The first of each kind are those that anybody says."""

    helo: str
    sender: str
    rdns: str
    recipient: str
    tag: str

    def envelope(self, source: str) -> Envelope:
        """Return the envelope of such a client at an address."""
        return Envelope(
            self.recipient, False, source, self.rdns, self.helo, self.sender, self.tag, False
        )


def guises(
    rule: MatchRule, ruleset: Ruleset, tables: Tables, tags: Iterable[str]
) -> Iterator[Guise]:
    """Yield what a stranger may say so that all conditions but the address of a rule hold.

    The plainest comes first. What earlier rules name is tried, too: it may be a way around them.
    """
    before = ruleset.rules[: ruleset.rules.index(rule)]
    named = (rule, *reversed(before[-_RULES:]))
    helos = [name for each in named for name in _names(each, tables, "helo")]
    senders = [address for each in named for address in _addresses(each, tables)]
    hosts = [name for each in named for name in _names(each, tables, "from")]
    yield from map(
        Guise._make,
        product(
            _fitting(rule, ruleset, "helo", (HELO, *helos)),
            _fitting(rule, ruleset, "sender", (SENDER, _NOBODY, *senders)),
            _fitting(rule, ruleset, "rdns", (RDNS, NAMELESS, *hosts)),
            _fitting(rule, ruleset, "recipient", RECIPIENTS)[:1],
            _fitting(rule, ruleset, "tag", tags),
        ),
    )


_CONDITIONS = {
    "helo": ("helo",),
    "sender": ("mail-from",),
    "rdns": ("from",),
    "recipient": ("for", "rcpt-to"),
    "tag": ("tag",),
}


def _fitting(rule: MatchRule, ruleset: Ruleset, field: str, values: Iterable[str]) -> list[str]:
    """Return the first values with which the conditions of a rule on that field hold."""
    found: list[str] = []
    wanted = [
        each
        for each in conditions(rule)
        if each.kind in _CONDITIONS[field] and (each.kind != "from" or each.what == "rdns")
    ]
    for value in dict.fromkeys(values):
        envelope = _envelope(field, value)
        try:
            if all(ruleset.fulfils(each, envelope) for each in wanted):
                found.append(value)
        except Unsure:
            continue
        if len(found) == _TRIED:
            break
    return found


def _envelope(field: str, value: str) -> Envelope:
    words = {"recipient": RECIPIENTS[0], field: value}
    return Envelope(
        words["recipient"],
        rdns=words.get("rdns"),
        helo=words.get("helo"),
        sender=words.get("sender"),
        tag=words.get("tag"),
    )


def _names(rule: MatchRule, tables: Tables, kind: str) -> Iterator[str]:
    for table, regex in tables_of(rule, kind):
        for key in tables.keys(table)[:_ROWS]:
            yield _spelled(key, regex)


def _addresses(rule: MatchRule, tables: Tables) -> Iterator[str]:
    for table, regex in tables_of(rule, "mail-from"):
        for key in tables.keys(table)[:_ROWS]:
            user, _, domain = _spelled(key, regex).rpartition("@")
            if "@" not in key:
                user, domain = domain, ""
            yield f"{user or 'somebody'}@{domain or HELO}"


def _spelled(key: str, regex: bool) -> str:
    """Return a text that a pattern is likely to match."""
    if regex:
        key = re.sub(r"\.[*+]", "x", key.strip("^$")).replace("\\", "")
    return key.replace("*", "x")


class Crowd(NamedTuple):
    """Many strangers. ``network`` is None for all the world."""

    network: IPv4Network | IPv6Network | None
    sources: tuple[str, ...]
    enough: int
    """As many of them are a crowd."""


def crowds(rule: MatchRule, tables: Tables, family: int) -> Iterator[Crowd]:
    """Yield the crowds that a rule may let in, the larger ones first; ``family`` 0 is both."""
    if family != 6:
        yield Crowd(None, WORLD4, len(WORLD4) // 2)
    if family != 4:
        yield Crowd(None, WORLD6, len(WORLD6) // 2)
    for _, network in huge(rule, tables)[:_ROWS]:
        if family in (0, network.version):
            yield Crowd(network, tuple(_inside(network)), 1)


def huge(rule: MatchRule, tables: Tables) -> list[tuple[TableRef, IPv4Network | IPv6Network]]:
    """Return the networks of a rule that are too large, and their tables; the larger ones first."""
    found = [
        (table, network)
        for table, regex in tables_of(rule, "from")
        for key in (() if regex else tables.keys(table))
        if (network := _huge(key))
    ]
    return sorted(found, key=lambda each: (each[1].version, each[1].prefixlen))


def _huge(key: str) -> IPv4Network | IPv6Network | None:
    """Return a network of a row where it is huge, and not all private."""
    try:
        network = ip_network(key.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None
    return network if network.prefixlen <= _HUGE[network.version] else None


def _inside(network: IPv4Network | IPv6Network) -> Iterator[str]:
    """Yield some public addresses of a network."""
    step = max(1, network.num_addresses // 16)
    for number in range(16):
        address = network[min(number * step + step // 3, network.num_addresses - 1)]
        if address.is_global and not address.is_multicast:
            yield f"[{address}]" if address.version == 6 else str(address)
