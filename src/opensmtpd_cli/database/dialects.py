"""Dialects of SQL: PostgreSQL, and MySQL or MariaDB, for the same schema."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.table import KEY_MAX, VALUE_MAX
from opensmtpd.table.limits import HOME_MAX, ID_MAX
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.database.store import StoreRow
from opensmtpd_cli.smtpdconf.row_kinds import RowKind


class Dialect(NamedTuple):
    """A dialect of SQL. ``%s`` stands for a value, as in the DB-API."""

    title: str
    """The server, for errors."""
    parameter: str
    """The mark for the key in a query of the table program."""
    quote: str
    """The character around an identifier."""
    name_max: int
    """Bytes of an identifier."""
    key_max: int
    """Characters of a key."""
    pads: bool
    """True where blanks at the end of a key do not count."""
    has_table: str
    """The query for a table of a name."""
    key: str
    text: Mapping[int, str]
    """The types of a key, and of text of some bytes at most."""
    number: str
    table_end: str
    undoes: bool
    """True where a transaction can undo new tables."""
    migrations: Sequence[Sequence[str]]
    """The statements that bring a schema from each version to the next."""

    def identifier(self, name: str) -> str:
        """Return a name as SQL identifier."""
        return self.quote + name.replace(self.quote, self.quote * 2) + self.quote

    def new_table(self, entry: CatalogueEntry, name: str) -> list[str]:
        """Return the statements that make a table, as SQL table ``name`` for now.

        Raises ConfigError where the name of the entry is none.
        """
        if len(entry.name.encode("utf-8", "surrogateescape")) > self.name_max:
            message = f"table {entry.name}: its name is longer than one of {self.title} can be"
            raise ConfigError(message, remedy="rename it")
        if not self.can_hold(entry.name):
            raise ConfigError(f"table {entry.name}: its name is no UTF-8", remedy="rename it")
        columns = [f"{self.identifier('key')} {self.key} NOT NULL PRIMARY KEY"]
        columns += [f"{self.identifier(name)} {type}" for name, type in self._columns(entry.kind)]
        listed = ",\n    ".join(columns)
        return [f"CREATE TABLE {self.identifier(name)} (\n    {listed}\n){self.table_end}"]

    def _columns(self, kind: RowKind) -> list[tuple[str, str]]:
        value, home = self.text[VALUE_MAX], self.text[HOME_MAX]
        number = f"{self.number} NOT NULL"
        return {
            RowKind.LIST: [],
            RowKind.MAPPING: [("value", f"{value} NOT NULL")],
            RowKind.CREDENTIALS: [("user", f"{value} NOT NULL"), ("password", f"{value} NOT NULL")],
            RowKind.USERINFO: [
                ("uid", f"{number} CHECK (uid BETWEEN 0 AND {ID_MAX})"),
                ("gid", f"{number} CHECK (gid BETWEEN 0 AND {ID_MAX})"),
                ("home", f"{home} NOT NULL"),
            ],
        }[kind]

    def judge(self, entry: CatalogueEntry, row: StoreRow) -> None:
        """Raise ConfigError for a row that the server cannot hold."""
        key = str(row[0])
        if self.pads and key.endswith(" "):
            reason = "a key with a blank at its end"
        elif len(key) > self.key_max:
            reason = f"a key of {len(key)} characters; {self.key_max} are possible"
        elif not all(self.can_hold(cell) for cell in row if isinstance(cell, str)):
            reason = "bytes that are no UTF-8"
        else:
            return
        where = key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        fault = f"table {entry.name}: {where:.80}: {self.title} cannot hold it: {reason}"
        raise ConfigError(fault, remedy="change or remove this row")

    @staticmethod
    def can_hold(text: str) -> bool:
        """Return whether text is UTF-8, and has no NUL."""
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
        return "\0" not in text


def _catalogue(text: str, end: str) -> list[str]:
    return [
        f"CREATE TABLE IF NOT EXISTS smtpd_schema (version INTEGER NOT NULL){end}",
        f"CREATE TABLE IF NOT EXISTS smtpd_tables (name {text} NOT NULL PRIMARY KEY,"
        f" kind {text} NOT NULL CHECK (kind IN ('list', 'mapping', 'credentials', 'userinfo')),"
        f" service {text} NOT NULL){end}",
    ]


POSTGRES = Dialect(
    title="PostgreSQL",
    parameter="$1",
    quote='"',
    name_max=63,
    key_max=KEY_MAX,
    pads=False,
    has_table="SELECT 1 FROM pg_tables WHERE tablename = %s AND schemaname = current_schema()",
    key='text COLLATE "C"',
    text={VALUE_MAX: "text", HOME_MAX: "text"},
    number="bigint",
    table_end="",
    undoes=True,
    migrations=[_catalogue('text COLLATE "C"', "")],
)
_UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
MYSQL = Dialect(
    title="MySQL",
    parameter="?",
    quote="`",
    name_max=64,
    key_max=768,  # InnoDB has indexes of 3,072 bytes
    pads=True,  # MySQL and MariaDB have different names for a collation that does not
    has_table="SELECT 1 FROM information_schema.tables"
    " WHERE table_name = %s AND table_schema = database()",
    key="VARCHAR(768)",
    text={VALUE_MAX: f"VARCHAR({VALUE_MAX})", HOME_MAX: f"VARCHAR({HOME_MAX})"},
    number="BIGINT",
    table_end=f" {_UTF8}",
    undoes=False,
    migrations=[_catalogue("VARCHAR(255)", f" {_UTF8}")],
)
DIALECTS = {"postgres": POSTGRES, "mysql": MYSQL}
"""By the names of the tables in smtpd.conf."""
