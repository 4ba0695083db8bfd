"""No key is ever SQL, and what is asked at once is answered from one state."""

import argparse
import functools
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.testing import TableReply, ask
from opensmtpd_tables.sqlite import Sqlite
from property.tables_wire import KEY, SERVICES, Wire

FRAGMENTS = [
    "'",
    '"',
    "--",
    ";",
    "?",
    "?1",
    ":key",
    "/*",
    "*/",
    "`",
    "[",
    "]",
    "%",
    "_",
    "\\",
    "||",
]
FRAGMENTS += ["DROP TABLE rows", " OR 1=1", "UNION SELECT value FROM secrets", ")", "(", "NULL"]
FRAGMENTS += ["x", " ", "\t", "|", "\udcff", "\xe9", "1", "0x41", "alice", "*.example.org", "@"]
SQL = st.lists(st.sampled_from(FRAGMENTS), max_size=10).map("".join)
ROWS = {"alice": "bob", "*.example.org": "wild", "10.0.0.0/8": "net", "@example.net": "mail"}


class Store:
    """A database and its table, for as long as the tests run."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "test.db"
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("CREATE TABLE rows (key, value)")
            connection.execute("CREATE TABLE secrets (key, value)")
            connection.execute("INSERT INTO secrets VALUES ('alice', 'secret')")
            connection.executemany("INSERT INTO rows VALUES (?, ?)", ROWS.items())
        self.bytes = self.path.read_bytes()
        conf = self.path.with_suffix(".conf")
        lines = [f"dbpath {self.path}"]
        plain = "SELECT value FROM rows WHERE key = ?"
        lines += [f"query_{service} {plain}" for service in SERVICES if service not in UNLIKE]
        lines += ["query_credentials SELECT key, value FROM rows WHERE key = ?1 AND ?1 <> ''"]
        lines += ["query_userinfo SELECT 1, 1, value FROM rows WHERE ? = key"]
        lines += ["patterns_domain SELECT key FROM rows", ""]
        conf.write_text("\n".join(lines))
        self.table = Sqlite(argparse.Namespace(path=str(conf), check=True))


UNLIKE = ("credentials", "userinfo", "auth")


@functools.cache
def store() -> Store:
    """Return the database of these tests. It is not made at import: see ``roomy`` in conftest."""
    return Store()


@settings(max_examples=200)
@given(st.sampled_from([each for each in SERVICES if each != "auth"]), st.one_of(SQL, KEY))
def test_no_key_is_ever_sql(service: str, key: str) -> None:
    found = ask(store().table, "lookup", service, key)
    checked = ask(store().table, "check", service, key)
    assert found.result == checked.result
    assert found.result in ("found", "not-found")
    assert "secret" not in found.value
    if found.result == "not-found":
        assert key.lower() not in ROWS
    elif service in ("domain", "netaddr", "mailaddr"):
        assert found.value in ROWS.values()
    else:
        value = ROWS["".join(map(str.lower, key))]
        assert found.value in (value, f"{key.lower()}:{value}", f"1:1:{value}")
    assert ask(store().table, "lookup", "alias", "alice") == TableReply("found", "bob")
    assert store().path.read_bytes() == store().bytes


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["lookup", "check"]), SQL), min_size=2, max_size=10))
def test_what_is_asked_at_once_is_answered_as_if_asked_alone(asked: list[tuple[str, str]]) -> None:
    wire = Wire(store().table, Random(1))
    for verb, key in asked:
        wire.smtpd.ask(verb, "domain", key)
    wire.protocol.receive(wire.smtpd.data_to_send(), 0.0)
    wire.smtpd.receive(wire.protocol.data_to_send())
    assert wire.smtpd.answers == [ask(store().table, verb, "domain", key) for verb, key in asked]
    with closing(sqlite3.connect(store().path, timeout=0)) as connection:
        connection.execute("BEGIN EXCLUSIVE")  # nothing holds a lock
        connection.rollback()
    assert store().path.read_bytes() == store().bytes
