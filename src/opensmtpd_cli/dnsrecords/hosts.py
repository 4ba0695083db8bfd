"""The names and addresses of hosts in the DNS: PTR, A, AAAA and MX."""

from ipaddress import ip_address
from typing import NamedTuple

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType, Reply, gather
from opensmtpd.dns.names import is_query_name, is_wire_name
from opensmtpd.mail.client import IPAddress

NAMES_MAX = 20
"""Names of an address, and hosts of a domain, whose addresses are asked for."""


class ReverseNames(NamedTuple):
    """The names that an address has in the DNS."""

    names: tuple[str, ...]
    """All that its PTR records have."""
    confirmed: tuple[str, ...]
    """Those that lead back to the address."""
    unknown: str
    """Why the DNS did not tell all; "" where it did."""


class HostAddresses(NamedTuple):
    """The addresses of a name."""

    found: frozenset[IPAddress]
    unknown: str
    """The same."""


class MailHosts(NamedTuple):
    """The hosts that receive for a domain, by their preference, and their addresses."""

    hosts: dict[str, HostAddresses]
    """Empty for a domain without MX records, and for one whose MX says that it gets no mail."""
    unknown: str
    """The same, of the MX records."""


def reverse_names(address: IPAddress) -> Lookup[ReverseNames]:
    """Ask for the names of an address, and for theirs."""
    [reply] = yield [Question(address.reverse_pointer, RecordType.PTR)]
    if not isinstance(reply, Found):
        return ReverseNames((), (), _unknown(reply))
    names = tuple(dict.fromkeys(reply.records))[:NAMES_MAX]
    kind = RecordType.A if address.version == 4 else RecordType.AAAA
    replies = yield [Question(name, kind) for name in names]
    confirmed = [
        name
        for name, each in zip(names, replies, strict=True)
        if isinstance(each, Found) and str(address) in each.records
    ]
    unknown = next(filter(None, map(_unknown, replies)), "")
    return ReverseNames(names, tuple(confirmed), "" if confirmed else unknown)


def addresses(name: str) -> Lookup[HostAddresses]:
    """Ask for all addresses of a name; an alias leads to those of the other name."""
    if not is_query_name(name):
        return HostAddresses(frozenset(), "")
    replies = yield [Question(name.lower(), kind) for kind in (RecordType.A, RecordType.AAAA)]
    found = [
        ip_address(record) for each in replies if isinstance(each, Found) for record in each.records
    ]
    return HostAddresses(frozenset(found), next(filter(None, map(_unknown, replies)), ""))


def mail_hosts(domain: str) -> Lookup[MailHosts]:
    """Ask who receives for a domain by its MX records."""
    if not is_wire_name(domain):
        return MailHosts({}, "")
    [reply] = yield [Question(domain.lower(), RecordType.MX)]
    if not isinstance(reply, Found):
        return MailHosts({}, _unknown(reply))
    hosts = tuple(dict.fromkeys(reply.records))[:NAMES_MAX]
    found = yield from gather([addresses(host) for host in hosts])
    return MailHosts(dict(zip(hosts, found, strict=True)), "")


def _unknown(reply: Reply) -> str:
    return reply.reason if isinstance(reply, Failed) else ""
