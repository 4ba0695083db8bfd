"""The configuration file of table-postgres, read as the C program of that name reads it.

Source: ``config_load`` in ``table_postgres.c`` 1.1.1.
"""

from typing import Any

from opensmtpd.backends import configuration
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.postgres import conninfo
from opensmtpd.backends.secrets import warn_if_readable
from opensmtpd.backends.sql.backend import SqlBackend
from opensmtpd.backends.sql.config import COLUMNS, KEYED, Queries
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs

WORKER = "opensmtpd.backends.postgres.worker:PostgresWorker"
EXAMPLE = "SELECT destination FROM aliases WHERE name = $1"


class PostgresBackend(SqlBackend):
    """A configuration of table-postgres."""

    connection = "opensmtpd.backends.postgres.connection:PostgresConnection"
    worker = WORKER

    def __init__(self, path: str) -> None:
        """Read a file. Raises ConfigError."""
        self.path = path
        self.settings, self.queries = Settings(), Queries(path)
        self._options: dict[str, str] = {}
        self._prepare = True
        configuration.take(path, self._set, self._set_setting, self.queries.set)
        if self.line is None:
            remedy = "say 'conninfo host=HOST dbname=DATABASE user=USER'"
            raise ConfigError("no conninfo", path=path, remedy=remedy)
        self.queries.must_be_some(EXAMPLE)
        self.services = self.queries.services
        self._locate()

    def _set(self, key: str, value: str, line: int) -> bool:
        if key == "conninfo":
            conninfo.check_signs(value)
            self._options, self.line = conninfo.parsed(value), line
            conninfo.targets(self._options)
        elif key == "prepare":
            self._prepare = configuration.yes(value)
        else:
            return False
        return True

    def _set_setting(self, key: str, value: str, _line: int) -> bool:
        return self.settings.set(key, value)

    def _locate(self) -> None:
        options = conninfo.with_environment(self._options)
        try:
            targets = conninfo.targets(options)
        except ValueError as error:
            raise ConfigError(f"conninfo: {error}", path=self.path, line=self.line) from None
        self.name = conninfo.name_of(options)
        remote = "service" in options or not all(target.local for target in targets)
        self.needs = Needs(
            reads=conninfo.files(options), network=remote, sockets=conninfo.sockets(options)
        )
        if "password" in self._options:
            warn_if_readable(self.path)

    def plain(self) -> Any:
        """Return the options of the connection, and the statements."""
        statements = self.queries.statements.values()
        return {
            "options": self._options,
            "prepare": self._prepare,
            "statements": [
                [each.key, each.sql, each.line, COLUMNS[each.key], self._may_be_constant(each.key)]
                for each in statements
            ],
        }

    def _may_be_constant(self, key: str) -> bool:
        service = key.removeprefix("query_")
        return service in self.queries.constant or service not in KEYED.values()
