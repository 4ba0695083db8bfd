"""The rows of an LDAP directory, to be read only: what the filters of table-ldap find.

There is a table for each service that has a filter with a place for the key, named as the service.
The attribute that is compared with the key has the keys. Directories have schemas of their own, so
that nothing is written to them.
"""

import re
import time
from collections.abc import Iterable, Iterator

from opensmtpd.backends.ldap import config
from opensmtpd.backends.ldap.connection import LdapConnection, LdapPlain
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.table import Service, lower
from opensmtpd_cli.database.schema import COLUMNS, CatalogueEntry
from opensmtpd_cli.database.store import Cell, StoreRow
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

SECONDS = 60.0
"""For all entries of a table."""
KINDS = {
    Service.ALIAS: RowKind.MAPPING,
    Service.MAILADDRMAP: RowKind.MAPPING,
    Service.ADDRNAME: RowKind.MAPPING,
    Service.CREDENTIALS: RowKind.CREDENTIALS,
    Service.USERINFO: RowKind.USERINFO,
    Service.DOMAIN: RowKind.LIST,
    Service.NETADDR: RowKind.LIST,
    Service.MAILADDR: RowKind.LIST,
}
"""Services whose tables can be read whole."""
_USER, _DOMAIN = "k0e0y", "d0o0m"
"""A key that no filter has by itself."""
_KEY = re.compile(rf"\(([A-Za-z0-9.;_-]+)={_USER}@{_DOMAIN}\)")
"""A comparison of an attribute with the whole key."""


class LdapStore:
    """A ``Store`` that can only be read."""

    def __init__(self, path: str) -> None:
        """Connects. Raises ConfigError."""
        self._path = path
        directory = config.read(path)
        plain = LdapPlain(*directory.plain())
        self._filters: dict[Service, str] = {}
        self._keys: dict[Service, int] = {}
        attributes: dict[str, list[str]] = {}
        for service in KINDS:
            if service.value not in plain.attributes:
                continue
            query = directory.question(service, f"{_USER}@{_DOMAIN}")[1]
            names = list(dict.fromkeys(_KEY.findall(query)))
            query = _KEY.sub(r"(\1=*)", query)
            if names and _USER not in query and _DOMAIN not in query:
                self._filters[service], self._keys[service] = query, len(names)
                attributes[service.value] = [*names, *plain.attributes[service.value]]
        self._connection = LdapConnection(plain._replace(attributes=attributes))
        try:
            self._connection.connect(time.monotonic() + SECONDS)
        except Unavailable as error:
            raise ConfigError(str(error), path=self._path) from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def entries(self) -> list[CatalogueEntry]:
        """Return the tables, by name."""
        return sorted(
            CatalogueEntry(service.value, KINDS[service], (service,)) for service in self._filters
        )

    def every(self, entry: CatalogueEntry, *columns: str) -> Iterator[StoreRow]:
        """Yield these columns of all rows, by key. Raises ConfigError."""
        (service,) = entry.services
        question = [service.value, self._filters[service]]
        try:
            [found] = self._connection.ask([question], time.monotonic() + SECONDS)
        except Unavailable as error:
            remedy = "see that the server may give all entries at once (its sizelimit)"
            raise ConfigError(str(error), path=self._path, remedy=remedy) from None
        rows: dict[str, StoreRow] = {}
        count = self._keys[service]
        for each in found:
            values = each[count:]
            if all(map(any, values)) or entry.kind is RowKind.LIST:
                for key in dict.fromkeys(lower(key) for keys in each[:count] for key in keys):
                    rows[key] = self._joined(entry.kind, key, values, rows.get(key))
        places = [COLUMNS[entry.kind].index(name) for name in columns]
        for key in sorted(rows):
            yield tuple(rows[key][place] for place in places)

    def _joined(
        self, kind: RowKind, key: str, values: list[list[str]], before: StoreRow | None
    ) -> StoreRow:
        """Return the row of an entry, with what another entry of the same key has."""
        if kind is RowKind.MAPPING:
            old = [str(before[1])] if before else []
            return key, ", ".join([*old, *filter(None, values[0])])
        firsts = [next(filter(None, each), "") for each in values]
        if kind is RowKind.LIST:
            return (key,)
        if kind is RowKind.CREDENTIALS:
            return key, firsts[0], firsts[1]
        uid, gid, home = firsts
        if not (uid.isascii() and uid.isdigit() and gid.isascii() and gid.isdigit()):
            raise ConfigError(f"{key}: no numbers for uid and gid", path=self._path)
        return key, int(uid), int(gid), home

    # --- what a directory does not do -----------------------------------------------------------

    def _refused(self) -> ConfigError:
        remedy = "change its entries with ldapmodify(1), in its own schema"
        return ConfigError("an LDAP directory is read only", path=self._path, remedy=remedy)

    def create_table(self, entry: CatalogueEntry) -> None:
        """Raise ConfigError."""
        raise self._refused()

    def has(self, entry: CatalogueEntry, key: str) -> bool:
        """Return whether there is a row with this key."""
        return any(name == key for (name,) in self.every(entry, "key"))

    def insert(self, entry: CatalogueEntry, *row: Cell) -> None:
        """Raise ConfigError."""
        raise self._refused()

    def fill(self, entry: CatalogueEntry, rows: Iterable[StoreRow]) -> None:
        """Raise ConfigError."""
        raise self._refused()

    def set_password(self, entry: CatalogueEntry, key: str, hash: str) -> bool:
        """Raise ConfigError."""
        raise self._refused()

    def delete(self, entry: CatalogueEntry, key: str) -> bool:
        """Raise ConfigError."""
        raise self._refused()

    def commit(self) -> None:
        """Do nothing."""
