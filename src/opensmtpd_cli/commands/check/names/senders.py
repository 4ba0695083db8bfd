"""Domains that send from here: does SPF permit this server, and is there a policy of DMARC?"""

from collections.abc import Iterator

from opensmtpd.dns import Lookup, gather
from opensmtpd.mail.client import IPAddress
from opensmtpd.mail.spf import record
from opensmtpd.mail.spf.check import SpfResult, check_host
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.dnsrecords import policies, sending, spf_records, zone_lines
from opensmtpd_cli.dnsrecords.policies import PolicyRecord
from opensmtpd_cli.dnsrecords.sending import Outgoing
from opensmtpd_cli.dnsrecords.signing_keys import signing
from opensmtpd_cli.dnsrecords.spf_records import TERMS_MAX, SpfRecords
from opensmtpd_cli.smtpdconf.directives import Place

REFUSED = "Many servers refuse such mail, or take it for junk."


def domains(server: Server) -> dict[str, Place]:
    """Return the domains that certainly send from here, each with the place that says so.

    They are those of keys and of tables of senders; where there are none, those that are delivered
    here, if their users hand in mail here, too, but no subdomain of another one.
    """
    conf = server.configuration
    if not any(each.kind == "relay" for each in conf.actions.values()):
        return {}
    found: dict[str, Place] = {}
    for each in signing(conf):
        if not each.flags.arc:
            for name in each.domains:
                found.setdefault(name, each.filter.place)
    for listener in conf.listeners:
        for name in sorted(sending.senders(conf, listener)):
            found.setdefault(name, listener.place)
    if found or not sending.takes_mail_of_users(conf):
        return found
    received = sending.received(conf)
    return {
        name: place
        for name, place in received.items()
        if not sending.is_below(name.partition(".")[2], received)
    }


def sender_policies(server: Server) -> Lookup[list[Finding]]:
    """Look for wrong and missing records of SPF, and for servers that they do not permit."""
    wanted = domains(server)
    bad: list[Finding] = []
    sound: dict[str, Place] = {}
    there: dict[str, Place] = {}
    found = yield from gather([spf_records.spf_records(domain) for domain in wanted])
    for (domain, place), spf in zip(wanted.items(), found, strict=True):
        bad += _record(server, domain, place, spf)
        if spf.exists:
            there[domain] = place
        if spf.text and not spf.fault and not spf.unknown:
            sound[domain] = place
    more = yield from gather([_permits(server, sound), _dmarc(there)])
    return [*bad, *(each for found in more for each in found)]


def _record(server: Server, domain: str, place: Place, spf: SpfRecords) -> Iterator[Finding]:
    if spf.unknown:
        fault = f"the DNS did not tell the SPF record of {domain}: {spf.unknown}"
        yield finding.unseen("spf-unseen", place, fault)
    elif spf.fault:
        fault = f"the SPF record of {domain} is in error: {spf.fault}"
        why = "Who meets the error cannot tell who may send for the domain."
        remedy = f"mend the record: {spf.text}" if spf.text else "leave one of the records there"
        yield finding.warning("spf-error", place, fault, why, remedy)
    elif not spf.text and spf.exists:
        remedy = f"publish {zone_lines.txt(domain, _proposed(server))}"
        yield finding.warning("spf-missing", place, f"{domain} has no SPF record", REFUSED, remedy)
    elif spf.terms > TERMS_MAX:
        fault = f"the SPF record of {domain} asks the DNS {spf.terms} times"
        why = f"After {TERMS_MAX} times verifiers give up, and the record is an error for them."
        remedy = "name addresses (ip4:, ip6:) instead of includes, a and mx"
        yield finding.warning("spf-lookups", place, fault, why, remedy)
    elif spf.text and _permits_all(spf.text):
        fault = f"the SPF record of {domain} permits everybody to send for it"
        why = "It is worth less than none: mail that others forge passes."
        remedy = f"publish {zone_lines.txt(domain, _proposed(server))}"
        yield finding.warning("spf-permits-all", place, fault, why, remedy)


def _permits_all(text: str) -> bool:
    """Return whether a record, which is free of errors, ends in ``all`` or ``+all``."""
    found = next((each for each in record.parse(text).mechanisms if each.name == "all"), None)
    return found is not None and found.result == "pass"


def _proposed(server: Server) -> str:
    senders = sending.outgoing(server.configuration, server.addresses)
    addresses = {each for sender in senders for each in sender.addresses}
    if not addresses:
        return "v=spf1 mx ~all"
    return f"v=spf1 {' '.join(sorted(map(sending.spf_term, addresses)))} -all"


def _permits(server: Server, wanted: dict[str, Place]) -> Lookup[list[Finding]]:
    """Look for domains that do not permit an address of each action: any of them may send."""
    senders = sending.outgoing(server.configuration, server.addresses)
    if not senders or any(sender.hidden or not sender.listed for sender in senders):
        return []
    addresses = list(dict.fromkeys(each for sender in senders for each in sender.addresses))
    pairs = [(domain, address) for domain in wanted for address in addresses]
    found = yield from gather([_spf(domain, address) for domain, address in pairs])
    results = dict(zip(pairs, found, strict=True))
    return [*_refusals(wanted, senders, addresses, results)]


def _refusals(
    wanted: dict[str, Place],
    senders: list[Outgoing],
    addresses: list[IPAddress],
    results: dict[tuple[str, IPAddress], SpfResult],
) -> Iterator[Finding]:
    for domain, place in wanted.items():
        refused = {a: results[domain, a] for a in addresses if _refuses(results[domain, a])}
        if not all(any(each in refused for each in sender.addresses) for sender in senders):
            refused = {}
        for address, result in refused.items():
            how = f"{result.result} by {result.mechanism}"
            fault = f"the SPF record of {domain} does not permit {address} ({how})"
            written = sending.spf_term(address)
            remedy = f"write {written} into it, in front of the terms with a, mx and all"
            yield finding.warning("spf-refuses", place, fault, REFUSED, remedy)
        for address in addresses:
            result = results[domain, address]
            if result.result == "temperror":
                fault = f"the DNS did not tell whether {domain} permits {address}: {result.reason}"
                yield finding.unseen("spf-unseen", place, fault)


def _spf(domain: str, address: IPAddress) -> Lookup[SpfResult]:
    return check_host(address, domain, f"postmaster@{domain}", domain)


def _refuses(result: SpfResult) -> bool:
    return result.result in ("fail", "softfail", "neutral")


def _dmarc(wanted: dict[str, Place]) -> Lookup[list[Finding]]:
    found = yield from gather([policies.dmarc(domain) for domain in wanted])
    return [*_dmarc_faults(wanted, found)]


def _dmarc_faults(wanted: dict[str, Place], found: list[PolicyRecord]) -> Iterator[Finding]:
    for (domain, place), policy in zip(wanted.items(), found, strict=True):
        if policy.unknown:
            fault = f"the DNS did not tell {policy.name}: {policy.unknown}"
            yield finding.unseen("dmarc-unseen", place, fault)
        elif policy.fault:
            fault = f"the record {policy.name} does not count: {policy.fault}"
            remedy = f"mend the record: {policy.text}"
            yield finding.warning("dmarc-wrong", place, fault, remedy=remedy)
        elif not policy.text:
            publish = zone_lines.txt(policy.name, "v=DMARC1; p=none")
            why = "Who gets mail that others forge has nothing to go by."
            fault = f"{domain} has no policy of DMARC"
            yield finding.warning("dmarc-missing", place, fault, why, f"publish {publish}")
