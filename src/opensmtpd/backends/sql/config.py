"""The keys with SQL in the configuration of a table: ``query_*``, ``fetch_*``, ``patterns_*``.

Source: ``table_sqlite_update`` in ``table_sqlite.c`` 1.0.1 and its like.
"""

from opensmtpd.backends.configuration import whole, yes
from opensmtpd.errors import ConfigError
from opensmtpd.log import log
from opensmtpd.table import Service

COLUMNS = {
    **{f"query_{service}": 1 for service in Service},
    "query_credentials": 2,
    "query_auth": 2,
    "query_userinfo": 3,
    "fetch_source": 1,
    "fetch_relayhost": 1,
    **{f"patterns_{name}": 1 for name in ("domain", "netaddr", "mailaddr", "regex")},
}
"""Keys whose values are SQL, and the number of columns that each must give."""

KEYED = {
    f"constant_{service}": service.value
    for service in Service
    if service not in (Service.USERINFO, Service.ADDRNAME, Service.RELAYHOST, Service.SOURCE)
}
"""Keys that allow a query to have one answer for all keys, and their services.

The answer of these services decides whom smtpd lets in, and whose mail goes where: the same for
everybody is most often a mistake. The other services only say how mail is delivered or sent, and
one user, name, relay or address for all is what many want.
"""

PLAIN_SERVICES = frozenset(Service) - {Service.AUTH}


class Statement:
    """A line of SQL: its key, its text, and its number."""

    def __init__(self, key: str, sql: str, line: int) -> None:
        self.key, self.sql, self.line = key, sql, line
        self.parameters: int | None = None
        """The number of parameters; None until the database was asked."""
        self.named = False
        """True where SQLite's are ``:name``, and this Python's sqlite3 must be told."""


class Queries:
    """The statements of a configuration file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.statements: dict[str, Statement] = {}
        self.expire = 60
        """Seconds until the rows of ``fetch_source`` are read again."""
        self.refresh = 1000
        """Calls until they are."""
        self.constant: set[str] = set()
        """Services whose query may have one answer for all keys."""

    @property
    def services(self) -> frozenset[Service]:
        """Return the services to register: a query for ``auth`` has to be meant."""
        return frozenset(Service) if "query_auth" in self.statements else PLAIN_SERVICES

    def set(self, key: str, value: str, line: int) -> bool:
        """Take a line, as a Setter of ``configuration.take``. Raises ValueError, ConfigError."""
        if key in COLUMNS:
            self._add(key, value, line)
        elif key in KEYED:
            (self.constant.add if yes(value) else self.constant.discard)(KEYED[key])
        elif key == "fetch_source_expire":
            self.expire = whole(value)
        elif key == "fetch_source_refresh":
            self.refresh = whole(value)
        else:
            return False
        return True

    def _add(self, key: str, sql: str, line: int) -> None:
        old = self.statements.get(key)
        if old and key.startswith("query_"):  # of the others the last one counts, as in C
            at, reason = f"{self.path}:{line}", f"it stands in line {old.line}, too"
            log("key-ignored", key=key, at=at, reason=reason)
            return
        try:
            sql.encode()
        except UnicodeEncodeError:
            remedy = "write it in UTF-8"
            raise ConfigError("no UTF-8", path=self.path, line=line, remedy=remedy) from None
        self.statements[key] = Statement(key, sql, line)

    def must_be_some(self, example: str) -> None:
        """Raise ConfigError where there is no statement; ``example`` is one."""
        if not self.statements:
            remedy = f"say what to look up, for example 'query_alias {example}'"
            raise ConfigError("no query", path=self.path, remedy=remedy)

    def statement(self, key: str) -> Statement:
        """Return the statement of a key. Raises ConfigError."""
        found = self.statements.get(key)
        if found is None:
            raise ConfigError(f"no {key}", path=self.path)
        return found
