"""Exemptions: networks and domains of clients, read from files like those of table(5)."""

import re
from collections.abc import Iterable

from opensmtpd.dns.names import address
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client
from opensmtpd.table import Patterns, Service
from opensmtpd.table.file import FileKind, TableFile, lines
from opensmtpd.table.matching.netaddr import read_network

_DOMAIN = re.compile(r"[a-z0-9_*-]+(\.[a-z0-9_*-]+)*")


class Exemptions:
    """The rows of the files: ``192.0.2.0/24``, ``2001:db8::/32``, ``*.example.org``.

    A domain exempts only clients whose name leads back to their address: the owner of an address
    can give it any name.
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
        for line, row, _ in file:
            if read_network(row) is not None:
                plain = address(row)  # an IPv4-mapped address is IPv4 here, as it is in Client
                self._networks.add(row if plain is None else str(plain))
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
