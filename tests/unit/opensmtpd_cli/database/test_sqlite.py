"""SQLite databases as a store: new ones, and copies of one moment."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database import schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.database.sqlite import copied, image, opened, temporary
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from unit.support.account_commands import make

ALIASES = CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,))
BASE = CatalogueEntry("base", RowKind.USERINFO, (Service.USERINFO,))
NO_UTF8 = "\udcff"


def test_a_temporary_database_becomes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    with temporary() as store:
        store.create_table(ALIASES)
        store.create_table(BASE)
        store.fill(ALIASES, [("root", "alice"), (f"a{NO_UTF8}", "b")])
        store.fill(BASE, [("alice", 1000, 1001, "/home/alice")])
        path.write_bytes(image(store))
    with opened(str(path)) as store:
        assert store.entries() == [ALIASES, BASE]
        assert list(store.every(ALIASES, "key", "value")) == [
            (f"a{NO_UTF8}", "b"),
            ("root", "alice"),
        ]
        assert list(store.every(BASE, "uid", "home")) == [(1000, "/home/alice")]
        assert store.has(ALIASES, f"a{NO_UTF8}")
        assert not store.has(ALIASES, "a")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_key_is_there_once(tmp_path: Path) -> None:
    path = make(tmp_path / "mail.db", ALIASES)
    with opened(path, write=True) as store:
        store.insert(ALIASES, "root", "alice")
        with pytest.raises(ConfigError, match="root is in aliases already"):
            store.insert(ALIASES, "root", "bob")
    with opened(path) as store:
        assert list(store.every(ALIASES, "value")) == [("alice",)]


def test_what_fails_is_undone(tmp_path: Path) -> None:
    path = make(tmp_path / "mail.db", ALIASES)

    def fail() -> None:
        with opened(path, write=True) as store:
            store.insert(ALIASES, "root", "alice")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with opened(path) as store:
        assert list(store.every(ALIASES, "key")) == []


def test_a_copy_is_of_one_moment(tmp_path: Path) -> None:
    path = make(tmp_path / "mail.db", ALIASES)
    with copied(path) as copy:
        with opened(path, write=True) as store:
            store.insert(ALIASES, "root", "alice")
        assert list(copy.every(ALIASES, "key")) == []
    with copied(path) as copy:
        assert list(copy.every(ALIASES, "key")) == [("root",)]


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    path = str(tmp_path / "none.db")
    reason = "there is no such database; write one: opensmtpd-plugins import"
    with pytest.raises(ConfigError, match=reason), opened(path):
        pass
    with pytest.raises(ConfigError, match=reason), copied(path):
        pass
    assert schema.missing(path).path == path
