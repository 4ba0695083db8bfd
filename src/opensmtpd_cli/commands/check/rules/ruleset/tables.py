"""Look keys up in the tables of smtpd.conf, with the meaning that smtpd gives to their rows."""

from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.table import Service
from opensmtpd.table.file import Row
from opensmtpd.table.matching import Patterns
from opensmtpd_cli.errors import Unsure
from opensmtpd_cli.smtpdconf.configuration import Configuration, rows
from opensmtpd_cli.smtpdconf.directives import TableRef

ROWS_MAX = 100_000
"""Rows of a table that are looked at; of one with more nothing is known."""


class Tables:
    """The tables of a configuration. Their rows are read once, when they are asked for."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._delimiter = configuration.settings.get("sub-addr-delim", "+")
        self._rows: dict[TableRef, tuple[Row, ...] | None] = {}
        self._mappings: dict[TableRef, dict[str, str] | None] = {}
        self._patterns: dict[tuple[TableRef, Service], Patterns] = {}

    def rows(self, table: TableRef) -> tuple[Row, ...] | None:
        """Return the rows; None where they are not known."""
        if table not in self._rows:
            try:
                found = rows(self._configuration, table)
            except (ConfigError, OSError):
                found = None
            self._rows[table] = found if found is None or len(found) <= ROWS_MAX else None
        return self._rows[table]

    def keys(self, table: TableRef) -> list[str]:
        """Return the keys of the rows; none where they are not known."""
        return [row.key for row in self.rows(table) or ()]

    def mapping(self, table: TableRef) -> dict[str, str] | None:
        """Return keys and values, the last of each key as smtpd has it; None if not known."""
        if table not in self._mappings:
            found = self.rows(table)
            self._mappings[table] = (
                None if found is None else {row.key: row.value or "" for row in found}
            )
        return self._mappings[table]

    def holds(self, table: TableRef, service: Service, key: str) -> bool:
        """Return whether smtpd finds a key. Raises Unsure."""
        found = self.rows(table)
        if found is None:
            raise Unsure
        index = self._patterns.get((table, service))
        if index is None:
            index = Patterns(service, (row.key for row in found), self._delimiter)
            self._patterns[table, service] = index
        try:
            if index.find(key) is not None:
                return True
        except LocalError:  # regular expressions that take too long
            raise Unsure from None
        if service is Service.REGEX and index.unreadable:
            raise Unsure  # the C library may read what we refuse
        return False
