"""The lists of postgrey: clients and recipients that are never greylisted, in its own files.

They mean what ``read_clients_whitelists`` and ``read_recipients_whitelists`` of postgrey 1.37 make
of them, with one difference: ``192.0`` is a network of 16 bits, as its page says.
"""

import re
from collections.abc import Iterable, Iterator

from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.mail.client import Client, text
from opensmtpd.mail.greylist.perl import extended
from opensmtpd.table import Patterns, Service
from opensmtpd.table.file import lines
from opensmtpd.table.matching.netaddr import read_network
from opensmtpd.table.matching.regex import Regexes

_PART = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}")
_ADDRESS = re.compile(r"[0-9.]+(/[0-9]+)?|.*:.*:.*")
_NAME = re.compile(r"[a-z0-9_.-]+")
_EXPRESSION = re.compile(r"/(\S+)/")
_EXTENSION = re.compile(r"\+(?!$)")


class ListedClients:
    """Networks, domains with all names below them, and expressions that names match."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Read the files. Raises ConfigError for one that cannot be read, or a row."""
        self._networks = Patterns(Service.NETADDR, ())
        self._domains: set[str] = set()
        self._expressions = _Expressions()
        for path in paths:
            for line, row in _rows(path):
                self._add(row, path, line)

    def _add(self, row: str, path: str, line: int) -> None:
        if self._expressions.takes(row, path, line):
            return
        network = _whole(row) if _PART.fullmatch(row) else row
        if _ADDRESS.fullmatch(row):
            # inet_net_pton(3) takes one number for a network by its class.
            if row.isdecimal() or read_network(network) is None:
                raise ConfigError(f"{row!r} is no network", path=path, line=line, remedy=_REMEDY)
            self._networks.add(network)
        elif _NAME.fullmatch(row):
            self._domains.add(row.strip("."))
        else:
            raise ConfigError(f"{row!r} is no client", path=path, line=line, remedy=_REMEDY)

    def __contains__(self, client: Client) -> bool:
        """Return whether a client is listed: by its address, or by a name that leads back to it."""
        if len(self._networks) and self._networks.find(str(client.address)) is not None:
            return True
        if client.rdns is None or client.fcrdns != "pass":
            return False
        return _is_below(client.rdns, self._domains) or self._expressions.match(client.rdns)


class ListedRecipients:
    """Addresses, local parts, domains with all below them, and expressions of addresses."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Read the files. Raises ConfigError for one that cannot be read, or a row."""
        self._addresses: set[str] = set()
        self._users: set[str] = set()
        self._domains: set[str] = set()
        self._expressions = _Expressions()
        for path in paths:
            for line, row in _rows(path):
                self._add(row, path, line)

    def _add(self, row: str, path: str, line: int) -> None:
        if self._expressions.takes(row, path, line):
            return
        if " " in row or "\t" in row:
            remedy = "write user@example.org, user@, example.org or /expression/"
            raise ConfigError(f"{row!r} is no recipient", path=path, line=line, remedy=remedy)
        user, at, domain = row.partition("@")
        if domain:
            self._addresses.add(row)
        elif at:
            self._users.add(user)
        else:
            self._domains.add(row)

    def __contains__(self, recipient: bytes) -> bool:
        """Return whether a recipient is listed; what stands behind ``+`` in a user is ignored.

        ``<postmaster>`` without a domain is our own (RFC 5321 section 4.5.1).
        """
        address = text(recipient).lower()
        user, at, domain = address.partition("@")
        for each in _without_extensions(user):
            if each + at + domain in self._addresses or each in self._users:
                return True
        return _is_below(domain, self._domains) or self._expressions.match(address)


class _Expressions:
    """The expressions of a list."""

    def __init__(self) -> None:
        self._regexes = Regexes()

    def takes(self, row: str, path: str, line: int) -> bool:
        """Take a row if it is an expression. Raises ConfigError for one that cannot be used."""
        match = _EXPRESSION.fullmatch(row)
        if match is None:
            return False
        try:
            self._regexes.add(f"(?i){extended(match[1])}")
        except ValueError as error:
            remedy = "write it without that, or the names instead"
            raise ConfigError(f"{row!r}: {error}", path=path, line=line, remedy=remedy) from None
        return True

    def match(self, name: str) -> bool:
        """Return whether one matches; none matches what would take too long."""
        try:
            return self._regexes.find(name.encode("utf-8").decode("latin-1")) is not None
        except LocalError:
            return False


_REMEDY = "write an address, a network (192.0.2.0/24), a domain, or /expression/"


def _rows(path: str) -> Iterator[tuple[int, str]]:
    """Yield rows with their lines, as postgrey reads them: ``#`` begins a comment anywhere.

    Expressions keep their capitals: ``\\D`` is not ``\\d``.
    """
    for number, line in enumerate(lines(path), 1):
        row = text(line).partition("#")[0].strip()
        if row:
            yield number, row if _EXPRESSION.fullmatch(row) else row.lower()


def _whole(row: str) -> str:
    """Return the network of an address that lacks one number, or two."""
    numbers = row.split(".")
    missing = 4 - len(numbers)
    return ".".join([*numbers, *["0"] * missing]) + f"/{32 - 8 * missing}"


def _without_extensions(user: str) -> Iterator[str]:
    """Yield a local part, and what stands in front of each ``+`` that is not its end."""
    yield user
    for found in _EXTENSION.finditer(user):
        yield user[: found.start()]


def _is_below(name: str, domains: set[str]) -> bool:
    """Return whether a name is one of the domains, or below one."""
    if not domains:
        return False
    while name not in domains:
        name = name.partition(".")[2]
        if not name:
            return False
    return True
