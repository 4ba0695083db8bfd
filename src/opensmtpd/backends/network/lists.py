"""The lists that a server has: values that smtpd takes in turn, and rows that are patterns."""

import time
from collections.abc import Callable

from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.server import TimedServer
from opensmtpd.backends.sql.patterns import PatternIndex
from opensmtpd.backends.sql.rows import Rotation
from opensmtpd.errors import HandlerTimeout, ServerLate, ServerLost, Unavailable
from opensmtpd.log import log
from opensmtpd.table import Patterns, Service

FRESH = 60.0
"""Seconds until the rows of patterns are read again."""
WITH_PATTERNS = (Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.REGEX)


class Lists:
    """The lists of one configuration."""

    def __init__(
        self, backend: Backend, server: TimedServer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend, self._server, self._clock = backend, server, clock
        self._rotations: dict[Service, tuple[Rotation, float]] = {}
        self._indexes: dict[Service, PatternIndex] = {}
        self._due: dict[Service, float] = {}

    def load(self, seconds: float) -> None:
        """Read the patterns. Raises Unavailable, ConfigError."""
        until = self._clock() + seconds
        for service in WITH_PATTERNS:
            self.patterns(service, until)

    def patterns(self, service: Service, until: float | None = None) -> Patterns | None:
        """Return the index of a service, None where the configuration lists no patterns.

        Regular expressions are read at start and by ``smtpctl update table`` only: to compile them
        takes too long for a lookup. Raises Unavailable where there is no index yet.
        """
        question = self._backend.patterns_question(service)
        if question is None:
            return None
        index, now = self._indexes.get(service), self._clock()
        if index is not None and (service is Service.REGEX or now < self._due[service]):
            return index.patterns
        try:
            (reply,) = self._server.ask([question], until)
            rows = self._backend.fetched(service, reply)
            if index is None or not index.still(rows):
                delimiter, path = self._backend.settings.delimiter, self._backend.path
                index = self._indexes[service] = PatternIndex(service, rows, delimiter, path)
        except (HandlerTimeout, Unavailable) as error:
            if index is None:
                raise
            log("patterns-kept", service=service, reason=error)
        self._due[service] = now + FRESH  # or it would take its time with each key
        return index.patterns

    def fetch(self, service: Service) -> str | None:
        """Return the next value of a list. Raises ConfigError, Unavailable."""
        question = self._backend.fetch_question(service)
        settings = self._backend.settings
        rotation, since = self._rotations.get(service, (None, 0.0))
        if rotation is None or rotation.spent(settings):
            try:
                (reply,) = self._server.ask([question])
                rotation = Rotation(self._backend.fetched(service, reply))
                self._rotations[service] = rotation, self._clock()
            except (ServerLost, ServerLate):
                age = self._clock() - since
                if rotation is None or not settings.stale or age > settings.stale:
                    raise
        return rotation.next()
