"""The SPF record of a domain as one client meets it.

Mechanisms that ask nothing are judged at once: what is left are those that ask, and the first that
matches anyway.
"""

from functools import lru_cache
from ipaddress import IPv4Address

from opensmtpd.mail.client import IPAddress
from opensmtpd.mail.spf.macros import MacroString
from opensmtpd.mail.spf.record import Mechanism, SpfRecord, parse

REMEMBERED = 1000
"""Characters of a record that is remembered: few domains send most of the mail."""
_parsed = lru_cache(maxsize=256)(parse)


class SpfPage:
    """A record, read for one client. Raises ValueError for an error in it."""

    def __init__(self, domain: str, text: str, address: IPAddress) -> None:
        record = _parsed(text) if len(text) <= REMEMBERED else parse(text)
        self.domain = domain
        self.octets = len(text)
        self.asking: list[Mechanism] = []
        """The mechanisms that ask the DNS, up to ``last``."""
        self.last = _first_sure(record, address, self.asking)
        """The first mechanism that matches whatever the DNS has, or None."""
        self.redirect = record.redirect if self.last is None else ()
        self.explanation = record.explanation
        self.targets: dict[MacroString, str] = {}
        """The names that macros have been expanded to."""


def _first_sure(record: SpfRecord, address: IPAddress, asking: list[Mechanism]) -> Mechanism | None:
    number, bits = int(address), address.max_prefixlen
    own = "ip4" if isinstance(address, IPv4Address) else "ip6"
    for mechanism in record.mechanisms:
        if mechanism.name == "all":
            return mechanism
        if mechanism.name == own:
            if (number ^ mechanism.network) >> (bits - mechanism.ip4_prefix) == 0:
                return mechanism
        elif mechanism.name not in ("ip4", "ip6"):
            asking.append(mechanism)
    return None
