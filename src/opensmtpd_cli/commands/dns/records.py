"""The records that the mail of a domain needs, as smtpd.conf tells, beside those that are there."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from opensmtpd.dns import Found, Lookup, Question, RecordType, gather
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import IPAddress
from opensmtpd.mail.dkim import record as dkim_record
from opensmtpd.mail.dkim.keys.key import Key
from opensmtpd.mail.spf.check import check_host
from opensmtpd_cli.dnsrecords import (
    hosts,
    policies,
    sending,
    signing_keys,
    spf_records,
    zone_lines,
)
from opensmtpd_cli.dnsrecords.policies import PolicyRecord
from opensmtpd_cli.smtpdconf.configuration import Configuration

SAME, NOTHING = "it is there", "nothing is there"


class WantedRecord(NamedTuple):
    """A record that should be there, and what is there now; without a record, a remark."""

    record: str
    now: str


class MailServer(NamedTuple):
    """The mail server, as the world sees it."""

    name: str
    addresses: tuple[IPAddress, ...]
    hidden: IPAddress | None
    """A private address of which it is not known what the world sees instead of it."""


def host(configuration: Configuration, seen: Sequence[IPAddress], own: str) -> MailServer:
    """Return the host; ``own`` is what smtpd calls itself where smtpd.conf says nothing.

    Raises ConfigError and OSError for a table that cannot be read.
    """
    senders = sending.outgoing(configuration, seen)
    addresses = dict.fromkeys(each for sender in senders for each in sender.addresses)
    hidden = next((sender.hidden for sender in senders if sender.hidden), None)
    name = next((sender.action.helo for sender in senders if sender.action.helo), own)
    return MailServer(name.lower().removesuffix("."), tuple(addresses or seen), hidden)


def records(
    configuration: Configuration, domain: str, server: MailServer
) -> Lookup[list[list[WantedRecord]]]:
    """Return groups of records: of the host, MX, SPF, DKIM, DMARC, MTA-STS and TLS-RPT."""
    groups = [
        _addresses(server),
        _names(server),
        _exchanger(configuration, domain, server),
        _spf(configuration, domain, server),
        _keys(configuration, domain),
        _dmarc(domain),
        _others(domain),
    ]
    return (yield from gather(groups))


def _addresses(server: MailServer) -> Lookup[list[WantedRecord]]:
    if not server.addresses:
        return [
            WantedRecord("", "no address of this server is known: say which it has with --address")
        ]
    there = yield from hosts.addresses(server.name)
    now = _now([str(each) for each in sorted(there.found, key=str)], there.unknown)
    return [
        WantedRecord(zone_lines.address(server.name, each), SAME if each in there.found else now)
        for each in server.addresses
    ]


def _names(server: MailServer) -> Lookup[list[WantedRecord]]:
    found = yield from gather([hosts.reverse_names(each) for each in server.addresses])
    return [
        WantedRecord(
            zone_lines.pointer(address, server.name),
            SAME if server.name in names.names else _now(names.names, names.unknown),
        )
        for address, names in zip(server.addresses, found, strict=True)
    ]


def _exchanger(
    configuration: Configuration, domain: str, server: MailServer
) -> Lookup[list[WantedRecord]]:
    there = yield from hosts.mail_hosts(domain)
    now = _now([*there.hosts], there.unknown)
    here = domain in sending.received(configuration) or sending.receives_more(configuration)
    if not here:
        return [WantedRecord("", f"MX: smtpd.conf delivers no mail for {domain} here; {now}")]
    return [
        WantedRecord(
            zone_lines.exchanger(domain, server.name),
            SAME if [*there.hosts] == [server.name] else now,
        )
    ]


def _spf(
    configuration: Configuration, domain: str, server: MailServer
) -> Lookup[list[WantedRecord]]:
    there = yield from spf_records.spf_records(domain)
    refused = []
    for address in server.addresses if there.text else ():
        found = yield from check_host(address, domain, f"postmaster@{domain}", server.name)
        if found.result not in ("pass", "temperror"):
            refused.append(address)
    now = _now([there.text] if there.text else [there.fault] if there.fault else [], there.unknown)
    if there.text and not there.fault and not refused:
        return [WantedRecord(zone_lines.txt(domain, there.text), SAME)]
    if there.text and not there.fault:
        text = "v=spf1 " + " ".join([*map(sending.spf_term, refused), there.text[6:].strip()])
    elif server.addresses:
        text = "v=spf1 " + " ".join([*map(sending.spf_term, server.addresses), "-all"])
    elif not sending.direct(configuration):
        why = "mail goes out by the relay of others: publish the include: that they name"
        return [WantedRecord("", f"SPF: {why}; {now}")]
    else:
        text = "v=spf1 mx ~all"
    return [WantedRecord(zone_lines.txt(domain, text), now)]


def _keys(configuration: Configuration, domain: str) -> Lookup[list[WantedRecord]]:
    found: dict[tuple[str, bytes], tuple[str, Key]] = {}
    unread = []
    for each in signing_keys.signing(configuration):
        for key in each.keys:
            if key.domain.lower() != domain:
                continue
            if isinstance(key.key, ConfigError):
                unread.append(WantedRecord("", f"DKIM: {key.key}"))
            else:
                name = dkim_record.name(domain, key.selector).lower()
                found[name, key.key.id] = name, key.key
    if not found and not unread:
        how = f"opensmtpd-plugins genkey --domain {domain} --selector mail"
        return [
            WantedRecord("", f"DKIM: no filter-dkimsign of smtpd.conf signs for {domain}: {how}")
        ]
    wanted = [*found.values()]
    replies = (yield [Question(name, RecordType.TXT) for name, _ in wanted]) if wanted else []
    rows = []
    for (name, own), reply in zip(wanted, replies, strict=True):
        text = dkim_record.text(own.algorithm, own.public)
        there = reply.records if isinstance(reply, Found) else ()
        now = SAME if there == (text,) else _now(there, getattr(reply, "reason", ""))
        rows.append(WantedRecord(zone_lines.txt(name, text), now))
    return rows + unread


def _dmarc(domain: str) -> Lookup[list[WantedRecord]]:
    there = yield from policies.dmarc(domain)
    name = f"_dmarc.{domain}"
    if there.text and not there.fault:
        same = SAME if there.name == name else f"it is at {there.name}"
        return [WantedRecord(zone_lines.txt(there.name, there.text), same)]
    text = f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"
    now = _now([there.text] if there.text else [], there.unknown)
    return [WantedRecord(zone_lines.txt(name, text), now)]


def _others(domain: str) -> Lookup[list[WantedRecord]]:
    """Return what is there of MTA-STS and TLS-RPT: nobody needs it."""
    found: list[PolicyRecord] = yield from gather(
        [policies.mta_sts(domain), policies.tls_rpt(domain)]
    )
    return [
        WantedRecord(zone_lines.txt(each.name, each.text), each.fault or SAME)
        for each in found
        if each.text
    ]


def _now(there: Iterable[str], unknown: str) -> str:
    found = ", ".join(there)
    if found:
        return f"now: {found}"
    return f"not known: {unknown}" if unknown else NOTHING
