"""The rows of a database on a server of SQL: PostgreSQL, MySQL or MariaDB.

It has the tables of ``schema``: an SQL table for each table of smtpd.conf, named as it, and
``smtpd_tables``. ``dialects`` has what the two say differently.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from opensmtpd.errors import ConfigError
from opensmtpd_cli.database.dialects import Dialect
from opensmtpd_cli.database.schema import COLUMNS, CatalogueEntry, services_of
from opensmtpd_cli.database.store import Cell, StoreRow, there_already
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

VERSION = 1
"""The version of the schema."""
BATCH = 1000
"""Rows that are sent together."""


class ServerStore:
    """A ``Store`` on a connection of the DB-API, in a transaction that its maker ends."""

    def __init__(self, db: Any, dialect: Dialect, name: str) -> None:
        """``name`` is the place, as the operator gave it, for errors."""
        self._db, self._cursor = db, db.cursor()
        self._dialect, self._name = dialect, name
        self._new: dict[str, CatalogueEntry] = {}
        self._gone: list[str] = []
        self.ending = False
        """True once the end of the transaction was asked for: nobody knows whether it took place
        until ``commit`` returns."""
        self._version = self._read_version()
        if self._version > VERSION:
            remedy = "use the version of opensmtpd-plugins that has made it"
            raise ConfigError("a database with a newer schema", path=name, remedy=remedy)

    def _read_version(self) -> int:
        self._cursor.execute(self._dialect.has_table, ("smtpd_schema",))
        if self._cursor.fetchone() is None:
            return 0
        self._cursor.execute("SELECT MAX(version) FROM smtpd_schema")
        (version,) = self._cursor.fetchone()
        return int(version or 0)  # none where MySQL has made the table, and we were killed then

    def migrate(self) -> None:
        """Bring the schema to VERSION: an empty database gets one, and an older one is changed."""
        for version in range(self._version, VERSION):
            for statement in self._dialect.migrations[version]:
                self._cursor.execute(statement)
        if self._version < VERSION:
            self._cursor.execute("DELETE FROM smtpd_schema")
            self._cursor.execute("INSERT INTO smtpd_schema (version) VALUES (%s)", (VERSION,))
            self._version = VERSION

    def entries(self) -> list[CatalogueEntry]:
        """Return the tables, by name. Raises ConfigError for a database that has no schema."""
        if not self._version:
            remedy = f"fill it: opensmtpd-plugins import /etc/mail/smtpd.conf {self._name}"
            raise ConfigError("the database has no tables of smtpd", path=self._name, remedy=remedy)
        self._cursor.execute("SELECT name, kind, service FROM smtpd_tables")
        rows = [tuple(map(str, row)) for row in self._cursor.fetchall()]
        there = [
            CatalogueEntry(name, RowKind(kind), services_of(words))
            for name, kind, words in rows
            if name not in self._gone
        ]
        return sorted([*there, *self._new.values()])

    def create_table(self, entry: CatalogueEntry) -> None:
        """Make one more table, which is listed with ``commit``.

        Raises ConfigError for a name that the server cannot have, or has for something else.
        """
        statements = self._dialect.new_table(entry, self._place(entry.name))
        self._cursor.execute(self._dialect.has_table, (entry.name,))
        if self._cursor.fetchone() is not None and entry.name not in self._gone:
            fault = f"there is a table {entry.name}, which smtpd_tables does not list"
            remedy = "rename one; drop it if an import was killed, and left it empty"
            raise ConfigError(fault, path=self._name, remedy=remedy)
        for statement in statements:
            self._cursor.execute(statement)
        self._new[entry.name] = entry

    def _place(self, name: str) -> str:
        """Return the name of the SQL table: until ``commit``, lookups find the one it replaces."""
        return f"smtpd_new_{self._gone.index(name)}" if name in self._gone else name

    def commit(self) -> None:
        """Put new tables in the place of old ones, list them, and end the transaction."""
        named = self._dialect.identifier
        for name in self._gone:
            self._cursor.execute("DELETE FROM smtpd_tables WHERE name = %s", (name,))
            self._cursor.execute(f"DROP TABLE {named(name)}")
            if name in self._new:
                filled = named(self._place(name))
                self._cursor.execute(f"ALTER TABLE {filled} RENAME TO {named(name)}")
        for entry in self._new.values():
            values = (entry.name, entry.kind.value, " ".join(entry.services))
            self._cursor.execute("INSERT INTO smtpd_tables VALUES (%s, %s, %s)", values)
        self._gone.clear()
        self.ending = True
        self._db.commit()
        self.ending = False
        self._new.clear()

    @property
    def left(self) -> list[str]:
        """The statements that remove new tables which the server does not undo itself."""
        names = [] if self.undoes or self.ending else self._new
        return [f"DROP TABLE {self._dialect.identifier(name)}" for name in names]

    @property
    def undoes(self) -> bool:
        """True where the end of a transaction without a commit takes new tables away again."""
        return self._dialect.undoes

    def drop_table(self, name: str) -> None:
        """Remove a table with all its rows, with ``commit``: lookups find it until then."""
        self._gone.append(name)

    def has(self, entry: CatalogueEntry, key: str) -> bool:
        """Return whether there is a row with this key."""
        found = self._dialect.identifier("key")
        return self._changed(f"SELECT 1 FROM {self._table(entry)} WHERE {found} = %s", key) > 0

    def insert(self, entry: CatalogueEntry, *row: Cell) -> None:
        """Add a row. Raises ConfigError where its key is there already."""
        if self.has(entry, str(row[0])):
            raise there_already(entry, row[0])
        self.fill(entry, [row])

    def fill(self, entry: CatalogueEntry, rows: Iterable[StoreRow]) -> None:
        """Add rows to a table. Raises ConfigError for one that the server cannot hold."""
        marks = ", ".join(["%s"] * len(COLUMNS[entry.kind]))
        statement = f"INSERT INTO {self._table(entry)} VALUES ({marks})"
        left = iter(rows)
        while batch := list(islice(left, BATCH)):
            for row in batch:
                self._dialect.judge(entry, row)
            self._cursor.executemany(statement, batch)

    def set_password(self, entry: CatalogueEntry, key: str, hash: str) -> bool:
        """Change the hash of a user; return whether there is one."""
        if not self.has(entry, key):  # MySQL counts rows that change only
            return False
        table, found = self._table(entry), self._dialect.identifier("key")
        self._changed(f"UPDATE {table} SET password = %s WHERE {found} = %s", hash, key)
        return True

    def delete(self, entry: CatalogueEntry, key: str) -> bool:
        """Remove a row; return whether it was there."""
        found = self._dialect.identifier("key")
        return self._changed(f"DELETE FROM {self._table(entry)} WHERE {found} = %s", key) > 0

    def every(self, entry: CatalogueEntry, *columns: str) -> Iterator[StoreRow]:
        """Yield these columns of all rows, by key."""
        names = ", ".join(map(self._dialect.identifier, columns))
        key = self._dialect.identifier("key")
        table = self._dialect.identifier(entry.name)
        self._cursor.execute(f"SELECT {names} FROM {table} ORDER BY {key}")
        rows: list[StoreRow] = self._cursor.fetchall()
        yield from rows

    def _table(self, entry: CatalogueEntry) -> str:
        """Return the name of a table in a statement with values, where ``%s`` stands for one."""
        return self._dialect.identifier(self._place(entry.name)).replace("%", "%%")

    def _changed(self, statement: str, *values: str) -> int:
        """Run a statement, and return the number of rows that it found or changed."""
        if not all(map(self._dialect.can_hold, values)):
            return 0
        self._cursor.execute(statement, values)
        return int(self._cursor.rowcount)
