"""Clients who come to listeners with different filters, and what becomes of their mail."""

import smtplib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from lab.peers import mail
from lab.peers.clients import Client
from lab.peers.nameserver import Records
from lab.root.namespace import SERVER4, SERVER6
from lab.shows import moves
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab

Chains = Mapping[str, tuple[str, ...]]
"""From a title to the filters of a listener: each is what stands behind ``filter NAME``."""
FIRST_PORT = 2600
BUILTIN_RDNS = "phase connect match !rdns junk"
BUILTIN_FCRDNS = "phase connect match !fcrdns junk"
NAME = "client.example.net"
LISTEN = (
    "listen on {address} port {port} tls pki example.com auth-optional mask-src senders <users>"
    " filter {{ {filters} }} hostname example.com\n"
)


def ours(program: str, options: str = "") -> str:
    """Return a filter of ours for a chain."""
    return f'proc-exec "{" ".join((program, options)).strip()}"'


def port(chains: Chains, title: str) -> int:
    """Return the port on which these filters are."""
    return FIRST_PORT + list(chains).index(title)


def listen(guide: Guide, chains: Chains, local: str = "") -> None:
    """Add a listener for each chain to the guide's, for IPv4 and IPv6; equal filters are one.

    The chain ``local`` serves the clients on this machine, too.
    """
    names: dict[str, str] = {}
    for each in (each for chain in chains.values() for each in chain):
        names.setdefault(each, f"f{len(names)}")
    filters = "".join(f"filter {name} {each}\n" for each, name in names.items())
    listeners = "".join(
        LISTEN.format(
            address=address,
            port=port(chains, title),
            filters=" ".join(names[each] for each in chain),
        )
        for title, chain in chains.items()
        for address in ("$ipv4", "$ipv6")
    )
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text()
    for place, lines in (("# macros", filters), ("# rules", listeners)):
        text = text.replace(place, f"{lines}\n{place}")
    if local:
        signed = " ".join(["filter { dkimsign", *(names[each] for each in chains[local]), "}"])
        for listener in ("socket", "lo0"):
            text = text.replace(f'{listener} filter "dkimsign"', f"{listener} {signed}")
    conf.write_text(text)
    moves.check(guide)


def listings(*listed: tuple[str, str, str]) -> Records:
    """Return the records of lists: of each list its zone, an address or domain, and the code."""
    records: dict[tuple[str, str], list[str]] = {}
    for zone, what, code in listed:
        name = what
        if what[0].isdigit():
            name = ip_address(what).reverse_pointer.removesuffix(".in-addr.arpa")
        records[f"{name}.{zone}", "A"] = [code]
        records[f"{name}.{zone}", "TXT"] = [f'"see {zone}"']
    return records


class Fate(NamedTuple):
    """What became of a client's mail."""

    place: str
    """``inbox``, ``.Junk``, or the reply that refused it."""
    message: bytes = b""
    """As it was delivered."""

    def fields(self, name: bytes) -> list[bytes]:
        """Return the values of all header fields whose name begins like this."""
        header = self.message.partition(b"\n\n")[0].split(b"\n")
        return [line for line in header if line.lower().startswith(name.lower())]


def knock(address: str, number: int, helo: str = NAME) -> smtplib.SMTP:
    """Connect to a port and say EHLO. Raises SMTPResponseException for a refusal."""
    host = SERVER6 if ":" in address else SERVER4
    client = smtplib.SMTP(
        host, number, local_hostname=helo, timeout=180, source_address=(address, 0)
    )
    code, text = client.ehlo()
    if code >= 400:
        client.close()
        raise smtplib.SMTPHeloError(code, text)
    return client


def visit(
    lab: Lab, address: str, number: int, helo: str = NAME, sender: str = STRANGER, front: str = ""
) -> Fate:
    """Send Alice a mail from an address to a port; ``front`` goes in front of its header."""
    message = front.encode() + mail.compose(sender, LOCAL, f"from {address} to {number}")
    try:
        with knock(address, number, helo) as client:
            code, text = mail.send(client, sender, LOCAL, message)
    except smtplib.SMTPResponseException as error:
        return Fate(f"{error.smtp_code} {_text(error.smtp_error)}")
    if code != 250:
        return Fate(f"{code} {_text(text)}")
    delivered = lab.inbox.one()
    return Fate(delivered.folder, delivered.message)


def _text(reply: bytes | str) -> str:
    return reply.decode("ascii") if isinstance(reply, bytes) else reply


def places(lab: Lab, clients: Iterable[Client], number: int) -> dict[str, str]:
    """Return where the mail of each client goes, by its title."""
    return {client.title: visit(lab, client.address, number).place for client in clients}
