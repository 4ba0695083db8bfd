"""Exemptions: networks and domains of clients, read from files like those of table(5)."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address

from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client
from opensmtpd.table import Patterns, Service
from opensmtpd.table.file import FileKind, TableFile, lines
from opensmtpd.table.matching.netaddr import Network, read_network

_DOMAIN = re.compile(r"[a-z0-9_*-]+(\.[a-z0-9_*-]+)*")


class Exemptions:
    """The rows of the files: ``192.0.2.0/24``, ``2001:db8::/32``, ``*.example.org``.

    A domain exempts only clients whose name leads back to their address: the owner of an address
    can give it any name. Text behind a ``#`` is a comment, also behind a row: lists that were
    written for filters in Go have such.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        """Read the files. Raises ConfigError for an unreadable file or a row without meaning."""
        self._networks = Patterns(Service.NETADDR, ())
        self._domains = Patterns(Service.DOMAIN, ())
        for path in paths:
            self._read(path)

    def _read(self, path: str) -> None:
        file = TableFile(lines(path), path)
        file.kind = FileKind.LIST  # a first row with colons may be an IPv6 address
        for line, text, _ in file:
            row = text.partition("#")[0].rstrip()
            network = read_network(row)
            if network is not None:
                self._networks.add(_as_ipv4(network) or row)
            elif _DOMAIN.fullmatch(row):
                self._domains.add(row)
            else:
                remedy = "write an address, a network (192.0.2.0/24) or a domain (*.example.org)"
                raise ConfigError(f"{row!r} is none of these", path=path, line=line, remedy=remedy)

    def __contains__(self, client: Client) -> bool:
        """Return whether the client is exempt."""
        if len(self._networks) and self._networks.find(str(client.address)) is not None:
            return True
        if client.rdns is None or client.fcrdns != "pass":
            return False
        return len(self._domains) > 0 and self._domains.find(client.rdns) is not None


def _as_ipv4(network: Network) -> str | None:
    """Return an IPv4-mapped address or network as IPv4, as addresses are in Client; else None."""
    if network.size != 128 or network.value >> 32 != 0xFFFF or network.bits < 96:
        return None
    return f"{IPv4Address(network.value & 0xFFFFFFFF)}/{network.bits - 96}"
