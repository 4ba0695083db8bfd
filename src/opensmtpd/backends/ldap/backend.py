"""One configuration of table-ldap."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from opensmtpd.backends.ldap.connection import BIND, LdapPlain
from opensmtpd.backends.ldap.directory import TlsRules
from opensmtpd.backends.ldap.entries import LdapEntry, all_values, first_values
from opensmtpd.backends.ldap.filters import SearchFilter
from opensmtpd.backends.ldap.url import LdapUrl
from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.connection import ServerQuestion, ServerReply
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.sql.rows import JOINED, value
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service

PLAIN_SERVICES = frozenset(Service) - {Service.AUTH}


class LdapSearch(NamedTuple):
    """The search of a service."""

    filter: SearchFilter
    attributes: list[str]
    line: int
    """That of the filter."""


class LdapBackend(Backend):
    """A configuration: the searches, and what the entries mean."""

    connection = "opensmtpd.backends.ldap.connection:LdapConnection"
    worker = "opensmtpd.backends.ldap.worker:LdapWorker"
    authenticates = True

    def __init__(
        self,
        path: str,
        settings: Settings,
        url: LdapUrl,
        base: str,
        searches: Mapping[Service, LdapSearch],
        lines: Mapping[str, int],
        *,
        starttls: bool,
        ca_file: str,
        verify: bool,
        name: str,
        password: str,
        password_file: str,
    ) -> None:
        """``name`` and ``password`` are those that the table logs in with; both may be empty."""
        self.path, self.settings, self.line = path, settings, lines["url"]
        self.name = str(url)
        self.reads = tuple(filter(None, (password_file, ca_file)))
        self.services = frozenset(Service) if Service.AUTH in searches else PLAIN_SERVICES
        self._searches = searches
        wanted = starttls or url.scheme == "ldaps"
        if url.path:
            self.needs = Needs(sockets=(url.path,))
        else:
            self.needs = Needs(reads=(ca_file,) if wanted and ca_file else (), network=True)
        self._plain = LdapPlain(
            url=str(url),
            tls=list(TlsRules(wanted, starttls, ca_file, verify)),
            name=name,
            password=password,
            base=base,
            base_line=lines["basedn"],
            attributes={service.value: each.attributes for service, each in searches.items()},
            filters=[[each.filter.fill("x"), each.line] for each in searches.values()],
        )

    def plain(self) -> Any:
        """Return what the connection needs."""
        return list(self._plain)

    def _search(self, service: Service) -> LdapSearch:
        search = self._searches.get(service)
        if search is None:
            raise ConfigError(f"no {service}_filter", path=self.path)
        return search

    def question(self, service: Service, key: str) -> ServerQuestion:
        """Return the question for a key; that of ``auth`` is ``user:password``.

        Raises ConfigError where the service has no filter.
        """
        query, table = self._search(service).filter, self.settings.table
        if service is not Service.AUTH:
            return [service.value, query.fill(key, table)]
        user, _, password = key.partition(":")
        return [BIND, query.fill(user, table), password]

    def value(self, service: Service, reply: ServerReply) -> str | None:
        """Return all values of all entries as one list, or those of one entry.

        None where there is none. Raises LocalError for a user or group id that is no number.
        """
        entries: list[LdapEntry] = reply
        if service in JOINED:
            return ", ".join(all_values(entries)) or None
        row = first_values(entries)
        return None if not row else value(service, row)

    def fetch_question(self, service: Service) -> ServerQuestion:
        """Return the question for a list. Raises ConfigError where its filter asks for a key."""
        search = self._search(service)
        if search.filter.keyed:
            fault, remedy = f"{service}_filter has a key, and a list has none", "take out the key"
            raise ConfigError(fault, path=self.path, line=search.line, remedy=remedy)
        return [service.value, search.filter.fill("")]

    def fetched(self, service: Service, reply: ServerReply) -> list[str]:
        """Return all values of all entries."""
        return all_values(reply)
