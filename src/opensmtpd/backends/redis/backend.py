"""One configuration of table-redis: its questions, and what the replies mean."""

from typing import Any

from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.connection import ServerQuestion, ServerReply
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.network.tls_loading import loaded_tls
from opensmtpd.backends.redis import values
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.query import Query
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service


class RedisBackend(Backend):
    """A question is ``[name of the query, key]``, without the key for lists."""

    connection = "opensmtpd.backends.redis.connection:RedisConnection"

    def __init__(
        self,
        path: str,
        line: int | None,
        settings: Settings,
        places: list[RedisPlace],
        queries: dict[str, Query],
        reads: tuple[str, ...] = (),
    ) -> None:
        """``line`` is that of the first place, None for the default.

        ``reads`` are the files of password and certificates.
        """
        self.path, self.line, self.settings = path, line, settings
        self._places, self._queries = places, queries
        self._names = {s: f"query_{s}" for s in Service if f"query_{s}" in queries}
        self.name = ", ".join(place.name for place in places)
        plain = frozenset(Service) - {Service.AUTH}
        self.services = plain | {Service.AUTH} if Service.AUTH in self._names else plain
        self.reads = reads + _authorities(places)
        self.needs = Needs(
            network=any(not place.path for place in places),
            sockets=tuple(place.path for place in places if place.path),
        )

    def plain(self) -> Any:
        """Return the places and the queries."""
        queries = [[name, query.text, query.line] for name, query in self._queries.items()]
        return [list(place) for place in self._places], queries

    def question(self, service: Service, key: str) -> ServerQuestion:
        """Return the question for a key. Raises ConfigError."""
        name = self._names.get(service)
        return [self._named(f"query_{service}") if name is None else name, key]

    def fetch_question(self, service: Service) -> ServerQuestion:
        """Return the question for the list of a service. Raises ConfigError."""
        return [self._named(f"fetch_{service}")]

    def patterns_question(self, service: Service) -> ServerQuestion | None:
        """Return the question for all rows that are no literal keys, where one is configured."""
        name = f"patterns_{service}"
        return [name] if name in self._queries else None

    def _named(self, name: str) -> str:
        if name not in self._queries:
            raise ConfigError(f"no {name}", path=self.path)
        return name

    def value(self, service: Service, reply: ServerReply) -> str | None:
        """Return the value for smtpd, None where there is no row. Raises LocalError."""
        if type(reply) is str and service is not Service.USERINFO:
            return reply or None
        return values.value(service, reply)

    def found(self, service: Service, reply: ServerReply) -> bool:
        """Return whether there is a row, with any content."""
        return values.found(reply)

    def fetched(self, service: Service, reply: ServerReply) -> list[str]:
        """Return the values of a list, or the rows of patterns. Raises LocalError."""
        return values.texts(reply)


def _authorities(places: list[RedisPlace]) -> tuple[str, ...]:
    """Return where the system's certificates are, which are looked for with each connection."""
    if not any(place.tls and not place.authorities for place in places):
        return ()
    authorities: tuple[str, ...] = loaded_tls().system_authorities()
    return authorities
