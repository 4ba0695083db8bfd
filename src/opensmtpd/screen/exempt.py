"""Who is spared: networks, and domains of clients, from files like those of table(5)."""

import re
from collections.abc import Iterable

from opensmtpd.dns.names import address
from opensmtpd.errors import ConfigError
from opensmtpd.meaning import Patterns
from opensmtpd.meaning.netaddr import read_network
from opensmtpd.queries import Service
from opensmtpd.screen.client import Client
from opensmtpd.tablefile import FileKind, TableFile, lines

_DOMAIN = re.compile(r"[a-z0-9_*-]+(\.[a-z0-9_*-]+)*")


class Exemptions:
    """The rows of the files: ``192.0.2.0/24``, ``2001:db8::/32``, ``*.example.org``.

    A domain spares only a client whose name leads back to its address: anybody can give an address
    of his any name.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        """Raises ConfigError for files that cannot be read and rows that mean nothing."""
        self._networks = Patterns(Service.NETADDR, ())
        self._domains = Patterns(Service.DOMAIN, ())
        for path in paths:
            self._read(path)

    def _read(self, path: str) -> None:
        file = TableFile(lines(path), path)
        file.kind = FileKind.LIST  # whatever the first row looks like: IPv6 has colons
        for line, row, _ in file:
            if read_network(row) is not None:
                plain = address(row)  # an IPv4-mapped one is IPv4, as clients are
                self._networks.add(row if plain is None else str(plain))
            elif _DOMAIN.fullmatch(row):
                self._domains.add(row)
            else:
                remedy = "write an address, a network (192.0.2.0/24) or a domain (*.example.org)"
                raise ConfigError(f"{row!r} is none of these", path=path, line=line, remedy=remedy)

    def __contains__(self, client: Client) -> bool:
        """Is this client spared?"""
        if len(self._networks) and self._networks.find(str(client.address)) is not None:
            return True
        if client.rdns is None or client.fcrdns != "pass":
            return False
        return len(self._domains) > 0 and self._domains.find(client.rdns) is not None
