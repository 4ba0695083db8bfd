"""The addresses that smtpd sends from: their names in the DNS, and what smtpd calls itself."""

from collections.abc import Iterator

from opensmtpd.dns import Lookup, gather
from opensmtpd.mail.client import IPAddress
from opensmtpd.mail.policy import helo as helo_names
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.dnsrecords import hosts, sending, zone_lines
from opensmtpd_cli.dnsrecords.hosts import HostAddresses, ReverseNames
from opensmtpd_cli.dnsrecords.sending import Outgoing
from opensmtpd_cli.system import mail_name

REFUSED = "Many servers refuse mail from such an address, or take it for junk."
MISNAMED = "Many servers refuse mail of a host that says so, or take it for junk."


def names_of_addresses(server: Server) -> Lookup[list[Finding]]:
    """Look for addresses without a name, and names that do not lead back to them (FCrDNS)."""
    senders = sending.outgoing(server.configuration, server.addresses)
    places: dict[IPAddress, Outgoing] = {}
    for sender in senders:
        for address in sender.addresses:
            places.setdefault(address, sender)
    found = yield from gather([hosts.reverse_names(address) for address in places])
    return [*_hidden(senders), *_reverse(server, places, found)]


def _reverse(
    server: Server, places: dict[IPAddress, Outgoing], found: list[ReverseNames]
) -> Iterator[Finding]:
    own, _ = mail_name.own_name(server.smtpd)
    for (address, sender), names in zip(places.items(), found, strict=True):
        place = sender.action.place
        name = sending.helo(server.configuration, sender, address, own)
        good = name if helo_names.is_name(name.lower()) else "mail.example.com"
        if names.unknown:
            fault = f"the DNS did not tell the name of {address}: {names.unknown}"
            yield finding.unseen("reverse-unseen", place, fault)
        elif not names.names:
            yield finding.warning(
                "reverse-missing",
                place,
                f"smtpd sends from {address}, which has no name in the DNS (PTR)",
                REFUSED,
                f"have the provider of the address publish: {zone_lines.pointer(address, good)}",
            )
        elif not names.confirmed:
            called = names.names[0]
            yield finding.warning(
                "reverse-unconfirmed",
                place,
                f"smtpd sends from {address}, whose name {called} does not lead back to it",
                REFUSED,
                f"publish {zone_lines.address(called, address)}",
            )


def _hidden(senders: list[Outgoing]) -> Iterator[Finding]:
    for sender in senders:
        if not sender.listed:
            yield finding.unseen(
                "address-unknown",
                sender.action.place,
                "the addresses that smtpd sends from are in a table that a program keeps",
                "Nothing can be said of their names and of SPF.",
                "say which: opensmtpd-plugins check --address ADDRESS",
            )
        if sender.hidden is not None:
            yield finding.unseen(
                "address-private",
                sender.action.place,
                f"smtpd sends from {sender.hidden}, and the world sees another address",
                "Nothing can be said of its name and of SPF.",
                "say which one: opensmtpd-plugins check --address ADDRESS",
            )
            return


def helo_name(server: Server) -> Lookup[list[Finding]]:
    """Look at what smtpd calls itself: a name, which leads to an address that it sends from."""
    senders = sending.outgoing(server.configuration, server.addresses)
    if not senders:
        return []
    own, file = mail_name.own_name(server.smtpd)
    said: dict[str, tuple[Outgoing, set[IPAddress]]] = {}
    for sender in senders:
        for address in sender.addresses or ((sender.hidden,) if sender.hidden else ()):
            name = sending.helo(server.configuration, sender, address, own)
            if name:
                said.setdefault(name, (sender, set()))[1].update(sender.addresses)
    whole = {name: each for name, each in said.items() if helo_names.is_name(name.lower())}
    bad = []
    for name in said.keys() - whole.keys():
        place, remedy = _where(said[name][0], own, file, server)
        fault = f"smtpd calls itself {name!r}, which is no full name of a host"
        bad.append(finding.warning("helo-name", place, fault, MISNAMED, remedy))
    asked = [name for name in whole if not name.startswith("[")]
    found = yield from gather([hosts.addresses(name) for name in asked])
    for name, addresses in zip(asked, found, strict=True):
        sender, own_ones = whole[name]
        bad += _helo(name, addresses, sender, own_ones, *_where(sender, own, file, server))
    return bad


def _helo(
    name: str,
    addresses: HostAddresses,
    sender: Outgoing,
    own_ones: set[IPAddress],
    place: tuple[str, int],
    remedy: str,
) -> Iterator[Finding]:
    """Judge a name by its addresses, and by those that mail leaves from with it."""
    if addresses.found & own_ones or (addresses.found and sender.hidden):
        return
    if addresses.unknown:
        fault = f"the DNS did not tell the addresses of {name}: {addresses.unknown}"
        yield finding.unseen("helo-unseen", place, fault)
    elif not addresses.found:
        publish = [zone_lines.address(name, each) for each in sorted(own_ones, key=str)]
        yield finding.warning(
            "helo-unresolved",
            place,
            f"smtpd calls itself {name}, which has no address in the DNS",
            MISNAMED,
            f"publish {publish[0]}, or {remedy}" if publish else remedy,
        )
    else:
        seen = ", ".join(sorted(map(str, addresses.found)))
        used = ", ".join(sorted(map(str, own_ones)))
        fault = f"smtpd calls itself {name}, which is {seen}, and sends from {used}"
        yield finding.warning("helo-elsewhere", place, fault, MISNAMED, remedy)


def _where(sender: Outgoing, own: str, file: str, server: Server) -> tuple[tuple[str, int], str]:
    """Return the place that says what smtpd calls itself, and how to change it."""
    action = sender.action
    if action.helo or action.helo_src is not None:
        return action.place, "write the name of this address behind helo, or in the table"
    path = file or mail_name.file_of(server.smtpd) or "/etc/mail/mailname"
    place = (file, 1) if file else finding.NOWHERE
    return place, f"echo mail.example.com > {path}, with the name that this host has"
