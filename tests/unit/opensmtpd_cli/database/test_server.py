"""Rows on a server: the statements, and what the version of the schema allows.

``integration/cli/test_servers.py`` has the same with the servers themselves.
"""

from typing import Any

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database.dialects import MYSQL, POSTGRES, Dialect
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.database.server import BATCH, ServerStore
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

ALIASES = CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,))
NAME = "postgres:/pg.conf"


class Database:
    """A connection that keeps its statements; ``version`` is that of its schema, 0 for none."""

    def __init__(
        self, version: int | None = 1, tables: tuple[tuple[str, str, str], ...] = ()
    ) -> None:
        self.version, self.tables = version, list(tables)
        self.said: list[tuple[str, Any]] = []
        self.rowcount = 0
        self.rows: list[tuple[Any, ...]] = []
        self.there = {"smtpd_schema"} if version else set()

    def cursor(self) -> "Database":
        return self

    def execute(self, statement: str, values: Any = None) -> None:
        self.said.append((statement, values))
        self.rows = []
        if statement.startswith("SELECT 1 FROM"):
            self.rows = [(1,)] if self.there.issuperset(values) else []
        elif statement == "SELECT MAX(version) FROM smtpd_schema":
            self.rows = [(self.version,)]
        elif statement.startswith("SELECT name, kind, service"):
            self.rows = list(self.tables)
        elif statement.startswith("INSERT INTO smtpd_tables"):
            self.tables.append(values)

    def executemany(self, statement: str, rows: list[Any]) -> None:
        self.said.append((statement, rows))

    def commit(self) -> None:
        self.said.append(("commit", None))

    def fetchone(self) -> Any:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> list[Any]:
        return self.rows


def store(database: Database, dialect: Dialect = POSTGRES) -> ServerStore:
    made = ServerStore(database, dialect, NAME)
    database.said.clear()
    return made


def test_an_empty_database_has_no_tables_until_it_gets_a_schema() -> None:
    database = Database(version=0)
    empty = store(database)
    with pytest.raises(ConfigError, match=f"{NAME}: the database has no tables of smtpd; fill it"):
        empty.entries()
    empty.migrate()
    statements = [statement for statement, _ in database.said]
    assert statements[0].startswith("CREATE TABLE IF NOT EXISTS smtpd_schema (version INTEGER")
    assert statements[1].startswith("CREATE TABLE IF NOT EXISTS smtpd_tables (name")
    assert database.said[-1] == ("INSERT INTO smtpd_schema (version) VALUES (%s)", (1,))
    assert empty.entries() == []
    database.said.clear()
    empty.migrate()
    assert database.said == []


def test_a_schema_whose_import_was_killed_is_made_again() -> None:
    """MySQL has made its first table by then, without a row."""
    database = Database(version=None)
    database.there.add("smtpd_schema")
    left = store(database, MYSQL)
    with pytest.raises(ConfigError, match="the database has no tables of smtpd"):
        left.entries()
    left.migrate()
    assert database.said[-1] == ("INSERT INTO smtpd_schema (version) VALUES (%s)", (1,))


def test_an_older_schema_is_changed_step_by_step() -> None:
    dialect = POSTGRES._replace(migrations=[["zero"], ["one"], ["two"]])
    database = Database(version=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opensmtpd_cli.database.server.VERSION", 3)
        store(database, dialect).migrate()
    assert [statement for statement, _ in database.said] == [
        *("one", "two", "DELETE FROM smtpd_schema"),
        "INSERT INTO smtpd_schema (version) VALUES (%s)",
    ]


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(ConfigError, match="a database with a newer schema; use the version of"):
        store(Database(version=2))


def test_rows_are_sent_in_batches_and_judged() -> None:
    database = Database(tables=(("aliases", "mapping", "alias"),))
    rows = [(f"k{n}", "v") for n in range(BATCH + 1)]
    filled = store(database)
    filled.fill(ALIASES, iter(rows))
    assert database.said == [
        ('INSERT INTO "aliases" VALUES (%s, %s)', rows[:BATCH]),
        ('INSERT INTO "aliases" VALUES (%s, %s)', rows[BATCH:]),
    ]
    with pytest.raises(ConfigError, match="no UTF-8"):
        filled.fill(ALIASES, [("k", "\udcff")])


def test_a_key_that_is_no_utf8_is_never_there() -> None:
    database = Database()
    assert not store(database).has(ALIASES, "\udcff")
    assert not store(database).delete(ALIASES, "\udcff")
    assert database.said == []


def test_new_tables_are_listed_at_the_end() -> None:
    database = Database(tables=(("old", "list", ""),))
    made = store(database, MYSQL)
    made.create_table(ALIASES)
    assert [entry.name for entry in made.entries()] == ["aliases", "old"]
    made.fill(ALIASES, [("a", "b")])
    database.said.clear()
    made.commit()
    assert database.said == [
        ("INSERT INTO smtpd_tables VALUES (%s, %s, %s)", ("aliases", "mapping", "alias")),
        ("commit", None),
    ]
    assert made.left == []


def test_a_table_is_there_until_the_one_that_replaces_it_is_whole() -> None:
    database = Database(tables=(("aliases", "list", "alias"), ("old", "list", "")))
    database.there.add("aliases")
    made = store(database)
    made.drop_table("old")
    made.drop_table("aliases")
    assert made.entries() == []
    made.create_table(ALIASES)
    made.fill(ALIASES, [("a", "b")])
    said = [statement for statement, _ in database.said]
    assert said[2].startswith('CREATE TABLE "smtpd_new_1" (')
    assert said[3] == 'INSERT INTO "smtpd_new_1" VALUES (%s, %s)'
    database.said.clear()
    made.commit()
    assert database.said == [
        ("DELETE FROM smtpd_tables WHERE name = %s", ("old",)),
        ('DROP TABLE "old"', None),
        ("DELETE FROM smtpd_tables WHERE name = %s", ("aliases",)),
        ('DROP TABLE "aliases"', None),
        ('ALTER TABLE "smtpd_new_1" RENAME TO "aliases"', None),
        ("INSERT INTO smtpd_tables VALUES (%s, %s, %s)", ("aliases", "mapping", "alias")),
        ("commit", None),
    ]


def test_what_may_have_been_committed_is_not_undone_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer to COMMIT may be lost: the tables may be listed, and in use."""
    database = Database()
    made = store(database, MYSQL)
    made.create_table(ALIASES)

    def lose() -> None:
        raise OSError("the connection is lost")

    monkeypatch.setattr(database, "commit", lose)
    with pytest.raises(OSError, match="lost"):
        made.commit()
    assert made.ending
    assert made.left == []


def test_a_table_that_is_not_listed_is_left_alone() -> None:
    """Of somebody else, or of an import that another one runs at the same time."""
    database = Database()
    database.there.add("aliases")
    made = store(database, MYSQL)
    with pytest.raises(ConfigError, match="a table aliases, which smtpd_tables does not list; ren"):
        made.create_table(ALIASES)
    assert made.left == []
    assert not [said for said, _ in database.said if said.startswith(("CREATE", "DROP"))]


def test_new_tables_that_only_hands_can_undo() -> None:
    for dialect, left in ((MYSQL, ["DROP TABLE `aliases`"]), (POSTGRES, [])):
        made = store(Database(tables=(("old", "list", ""),)), dialect)
        made.create_table(ALIASES)
        assert made.left == left


def test_a_percent_sign_in_a_name_is_no_place_for_a_value() -> None:
    database = Database()
    odd = ALIASES._replace(name="a%b")
    made = store(database)
    made.create_table(odd)
    made.has(odd, "k")
    made.fill(odd, [("k", "v")])
    list(made.every(odd, "key"))
    said = [statement for statement, _ in database.said]
    assert said[1].startswith('CREATE TABLE "a%b" (')
    assert said[2:] == [
        'SELECT 1 FROM "a%%b" WHERE "key" = %s',
        'INSERT INTO "a%%b" VALUES (%s, %s)',
        'SELECT "key" FROM "a%b" ORDER BY "key"',
    ]
