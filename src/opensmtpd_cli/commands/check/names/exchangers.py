"""Domains whose mail is delivered here: does the DNS lead it here, and are their policies right?"""

from collections.abc import Iterator

from opensmtpd.dns import Absent, Lookup, Question, RecordType, gather
from opensmtpd.dns.names import address as address_in
from opensmtpd.mail.policy import helo as helo_names
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.names import senders
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.dnsrecords import hosts, policies, sending
from opensmtpd_cli.dnsrecords.hosts import MailHosts
from opensmtpd_cli.dnsrecords.policies import PolicyRecord
from opensmtpd_cli.smtpdconf.directives import Place
from opensmtpd_cli.system import mail_name
from opensmtpd_cli.system.network import own_addresses


def mail_exchangers(server: Server) -> Lookup[list[Finding]]:
    """Look for domains whose MX records lead nowhere, or elsewhere.

    Another host may receive for this one, so that it is no fault if none of them is this one.
    """
    if not sending.hears_the_world(server.configuration):
        return []
    domains = sending.received(server.configuration)
    found = yield from gather([hosts.mail_hosts(domain) for domain in domains])
    sending_too = senders.domains(server)
    used = [domain for domain in domains if domain in sending_too]
    nowhere = yield from gather([_leads_nowhere(domain) for domain in used])
    missing = [domain for domain, none in zip(used, nowhere, strict=True) if none]
    return [
        *_judged(server, domains, found),
        *(_missing(server, domain, domains[domain]) for domain in missing),
    ]


def _leads_nowhere(domain: str) -> Lookup[bool]:
    kinds = (RecordType.MX, RecordType.A, RecordType.AAAA)
    replies = yield [Question(domain, kind) for kind in kinds]
    return all(isinstance(reply, Absent) for reply in replies)


def _missing(server: Server, domain: str, place: Place) -> Finding:
    """Say that nobody can answer the users of a domain.

    Of domains without users it is not known that they should get mail from elsewhere: they may be
    names of the machine.
    """
    fault = f"{domain} has neither an MX record nor an address"
    why = "Nobody can answer mail from it."
    own, _ = mail_name.own_name(server.smtpd)
    host = own if helo_names.is_name(own.lower()) else "mail.example.com"
    return finding.warning("mx-missing", place, fault, why, f"publish {domain}. IN MX 10 {host}.")


def _judged(server: Server, domains: dict[str, Place], found: list[MailHosts]) -> Iterator[Finding]:
    public = _has_public_address(server)
    for (domain, place), known in zip(domains.items(), found, strict=True):
        if known.unknown:
            fault = f"the DNS did not tell the MX of {domain}: {known.unknown}"
            yield finding.unseen("mx-unseen", place, fault)
            continue
        dead = False
        for fault, remedy in _faults(domain, known):
            dead = True
            why = "Mail for the domain waits at its sender, and is lost after some days."
            yield finding.warning("mx-dead", place, fault, why, remedy)
        if known.hosts and not dead and public and not _leads_here(server, known):
            names = ", ".join(known.hosts)
            fault = f"the MX of {domain} is not this machine: {names}"
            why = "That is right where those hand on the mail, or have an address that is not ours."
            remedy = "name the addresses of this server: opensmtpd-plugins check --address ADDRESS"
            yield finding.unseen("mx-elsewhere", place, fault, why, remedy)


def _faults(domain: str, known: MailHosts) -> Iterator[tuple[str, str]]:
    for name, each in known.hosts.items():
        if address_in(name) is not None:
            fault = f"the MX of {domain} is {name}: an address, where a name belongs"
            yield fault, "publish an A record for a name, and name that in the MX record"
        elif not each.found and not each.unknown:
            fault = f"the MX of {domain} names {name}, which has no address in the DNS"
            yield fault, f"publish an address of {name}, or take it out of the MX records"


def _has_public_address(server: Server) -> bool:
    """Return whether it is known by which address the world finds this machine."""
    if server.addresses:
        return True
    found = own_addresses.outgoing()
    return bool(found) and not any(map(own_addresses.is_hidden, found))


def _leads_here(server: Server, known: MailHosts) -> bool:
    if any(each.unknown for each in known.hosts.values()):
        return True  # perhaps
    addresses = {address for each in known.hosts.values() for address in each.found}
    return bool(addresses.intersection(server.addresses)) or any(
        map(own_addresses.is_own, addresses)
    )


def receiving_policies(server: Server) -> Lookup[list[Finding]]:
    """Look for records of MTA-STS and TLS-RPT that do not count."""
    domains = sending.received(server.configuration)
    asked = [(policies.mta_sts(domain), policies.tls_rpt(domain)) for domain in domains]
    found = yield from gather([gather(pair) for pair in asked])
    return [
        bad
        for place, (sts, rpt) in zip(domains.values(), found, strict=True)
        for bad in (*_policy("mta-sts", place, sts), *_policy("tls-rpt", place, rpt))
    ]


def _policy(kind: str, place: Place, record: PolicyRecord) -> Iterator[Finding]:
    if record.fault:
        fault = f"the record {record.name} does not count: {record.fault}"
        remedy = f"mend it, or take it away; it says: {record.text}"
        yield finding.warning(f"{kind}-wrong", place, fault, remedy=remedy)
    elif record.unknown:
        fault = f"the DNS did not tell {record.name}: {record.unknown}"
        yield finding.unseen(f"{kind}-unseen", place, fault)
