"""The database."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database import schema
from opensmtpd_cli.database.schema import COLUMNS, CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

ENTRIES = [
    CatalogueEntry("users", RowKind.CREDENTIALS, (Service.CREDENTIALS,)),
    CatalogueEntry("domains", RowKind.LIST, (Service.DOMAIN, Service.MAILADDR)),
    CatalogueEntry('an "odd" name', RowKind.MAPPING),
    CatalogueEntry("base", RowKind.USERINFO, (Service.USERINFO,)),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "a b?.sqlite")
    db = sqlite3.connect(path, isolation_level=None)
    schema.create(db, ENTRIES)
    db.close()
    return path


@pytest.fixture
def db(path: str) -> Iterator[sqlite3.Connection]:
    db = schema.connect(path, write=True)
    yield db
    db.close()


def test_what_is_created_is_read(path: str) -> None:
    db = schema.connect(path)
    assert schema.entries(db) == sorted(ENTRIES)
    db.close()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.kind))
def test_columns(db: sqlite3.Connection, entry: CatalogueEntry) -> None:
    rows = db.execute(f"SELECT name FROM pragma_table_info({schema.identifier(entry.name)})")
    assert tuple(name for (name,) in rows) == COLUMNS[entry.kind]


def test_every_column_has_its_comment(db: sqlite3.Connection) -> None:
    for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE type = 'table'"):
        columns = [line for line in sql.splitlines() if line.startswith("    ") and line[4] != " "]
        for line in columns[:-1]:
            assert "  -- " in line or line.endswith(","), sql
        assert sql.count("-- ") >= len(columns)


@pytest.mark.parametrize(
    "row",
    [
        "domains VALUES ('Example.org')",
        "domains VALUES ('')",
        "domains VALUES (NULL)",
        "domains VALUES ('a' || char(10))",
        f"domains VALUES ('{'a' * 1024}')",
        f"domains VALUES ('{'é' * 512}')",
        "users VALUES ('a', '', 'x')",
        "users VALUES ('a', 'a', '')",
        "users VALUES ('a', 'a:b', 'x')",
        f"users VALUES ('a', 'a', '{'x' * 2046}')",
        "base VALUES ('a', 'x', 1, '/')",
        "base VALUES ('a', -1, 1, '/')",
        "base VALUES ('a', 1, 4294967296, '/')",
        "base VALUES ('a', 1, 1, '')",
        '"an ""odd"" name" VALUES (\'a\', \'\')',
        f'"an ""odd"" name" VALUES (\'a\', \'{"x" * 2048}\')',
        "\"an \"\"odd\"\" name\" VALUES ('a', 'b' || char(10) || 'c')",
    ],
)
def test_rows_that_smtpd_could_not_use(db: sqlite3.Connection, row: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(f"INSERT INTO {row}")


@pytest.mark.parametrize(
    "row",
    [
        "domains VALUES ('*.example.org')",
        f"domains VALUES ('{'a' * 1023}')",
        f"users VALUES ('a', 'a', '{'x' * 2045}')",
        "base VALUES ('a', '4294967295', 0, '/')",
        f'"an ""odd"" name" VALUES (\'a\', \'{"x" * 2047}\')',
    ],
)
def test_rows_that_smtpd_can_use(db: sqlite3.Connection, row: str) -> None:
    db.execute(f"INSERT INTO {row}")


def test_bytes_that_are_no_utf8(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO domains VALUES (CAST(? AS TEXT))", (schema.encoded("a\udcff"),))
    assert db.execute("SELECT key, typeof(key) FROM domains").fetchall() == [("a\udcff", "text")]


def test_the_journal_is_one_that_a_reader_need_not_write(path: str) -> None:
    db = schema.connect(path)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("INSERT INTO domains VALUES ('a')")
    db.close()


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such database"):
        schema.connect(str(tmp_path / "none"), write=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no database at all, but text", "is no SQLite database; give one that"),
        (b"", "a database with another schema"),
    ],
)
def test_what_is_no_such_database(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        schema.connect(str(path))


def test_a_later_schema(path: str) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(ConfigError, match="another schema"):
        schema.connect(path)


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "a\0", "a\nb", "\udcff"])
def test_tables_that_cannot_be_files(name: str) -> None:
    with pytest.raises(ConfigError, match="there can be no file of this name"):
        schema.file_name(name)


def test_a_database_whose_name_was_misspelt(tmp_path: Path) -> None:
    (tmp_path / "smtpd.db").touch()
    with pytest.raises(ConfigError) as error:
        schema.connect(str(tmp_path / "smptd.db"))
    assert str(error.value) == (
        f"{tmp_path}/smptd.db: there is no such database; did you mean {tmp_path}/smtpd.db?"
        " Else write one: opensmtpd-plugins import /etc/mail/smtpd.conf DATABASE"
    )
