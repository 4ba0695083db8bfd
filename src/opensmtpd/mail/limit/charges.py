"""The charges of a command: which rates it takes from, and how much."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from opensmtpd.mail.client import text
from opensmtpd.mail.limit.rules import LimitRule, LimitRules, Unit, Whose

Names: TypeAlias = dict[Whose, list[str]]
"""The names of all that a limit may be for."""


class Charge(NamedTuple):
    """A part of the cost of a message."""

    rule: LimitRule
    name: str
    cost: int
    """In the grains of the rule."""

    @property
    def key(self) -> list[str]:
        """Return the key of the rate: a rule that is written anew begins anew."""
        return [self.rule.whose, self.rule.unit, self.rule.written, self.name]


def charges(
    rules: LimitRules, names: Mapping[Whose, list[str]], unit: Unit, cost: int
) -> list[Charge]:
    """Return what a cost is charged to. What costs nothing is charged to nobody."""
    if not cost:
        return []
    return [
        Charge(rule, name, math.ceil(cost / rule.grain))
        for whose, found in names.items()
        for name in found
        for rule in rules.find(whose, unit, _sought(names, whose, name))
    ]


def recipient_charges(
    rules: LimitRules, names: Mapping[Whose, list[str]], recipients: Sequence[bytes]
) -> list[Charge]:
    """Return what the recipients of a message are charged to: to a domain, its own ones."""
    found = charges(rules, names, Unit.RECIPIENTS, len(recipients))
    counts = Counter(domain for each in recipients for domain in domain_of([each]))
    of_domain = Whose.RECIPIENT_DOMAIN
    return [
        each._replace(cost=counts[each.name]) if each.rule.whose is of_domain else each
        for each in found
    ]


def _sought(names: Mapping[Whose, list[str]], whose: Whose, name: str) -> str:
    """Return what a rule's name is to match: of a network, which may be wider, the client."""
    return names[Whose.ADDRESS][0] if whose is Whose.NETWORK else name


def domain_of(addresses: Iterable[bytes]) -> list[str]:
    """Return the domains of addresses, each once, in lower case; a bare name has none."""
    found = (
        text(each.rpartition(b"@")[2]).rstrip(".").lower() for each in addresses if b"@" in each
    )
    return list(dict.fromkeys(each for each in found if each))
