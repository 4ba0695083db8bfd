"""The configuration files of table-sqlite."""

import itertools
import re
import sqlite3
from pathlib import Path

import pytest

from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database import schema
from opensmtpd_cli.database.queries import configuration
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

PATH = "/var/db/smtpd.sqlite"


def text(kind: RowKind, *services: Service, delimiter: str = "+") -> list[str]:
    lines = configuration(CatalogueEntry("t", kind, services), PATH, delimiter).splitlines()
    return [line for line in lines if not line.startswith(("#", "dbpath "))]


ONE_ROW = ' FROM "t" WHERE key = ?'
KEYS = {
    (RowKind.MAPPING, "alias"): [f"query_alias SELECT value{ONE_ROW}"],
    (RowKind.MAPPING, "mailaddrmap"): [f"query_mailaddrmap SELECT value{ONE_ROW}"],
    (RowKind.MAPPING, "addrname"): [f"query_addrname SELECT value{ONE_ROW}"],
    (RowKind.MAPPING, "relayhost"): [f"query_relayhost SELECT value{ONE_ROW}"],
    (RowKind.MAPPING, "source"): [
        f"query_source SELECT key{ONE_ROW}",
        'fetch_source SELECT key FROM "t" ORDER BY key',
    ],
    (RowKind.MAPPING, "mailaddr"): [
        f"query_mailaddr SELECT key{ONE_ROW}",
        'patterns_mailaddr SELECT key FROM "t"',
    ],
    (RowKind.LIST, "relayhost"): ['fetch_relayhost SELECT key FROM "t" ORDER BY key'],
    (RowKind.LIST, "domain"): [
        f"query_domain SELECT key{ONE_ROW}",
        "patterns_domain SELECT key FROM \"t\" WHERE instr(key, '*') > 0",
    ],
    (RowKind.LIST, "netaddr"): [
        f"query_netaddr SELECT key{ONE_ROW}",
        "patterns_netaddr SELECT key FROM \"t\" WHERE key GLOB '*[^0-9.]*'"
        " OR key NOT GLOB '[0-9]*.[0-9]*.[0-9]*.[0-9]*' OR '.' || key GLOB '*.0[0-9]*'",
    ],
    (RowKind.LIST, "regex"): [
        f"query_regex SELECT key{ONE_ROW}",
        'patterns_regex SELECT key FROM "t"',
    ],
    (RowKind.LIST, "string"): [f"query_string SELECT key{ONE_ROW}"],
    (RowKind.LIST, "credentials"): [f"query_credentials SELECT key, key{ONE_ROW}"],
    (RowKind.CREDENTIALS, "credentials"): [f"query_credentials SELECT user, password{ONE_ROW}"],
    (RowKind.USERINFO, "userinfo"): [f"query_userinfo SELECT uid, gid, home{ONE_ROW}"],
}


@pytest.mark.parametrize(("kind", "service"), KEYS)
def test_the_keys_of_a_service(kind: RowKind, service: str) -> None:
    assert text(kind, Service(service)) == KEYS[kind, service]


def test_a_whole_file() -> None:
    entry = CatalogueEntry('my "users"', RowKind.CREDENTIALS, (Service.CREDENTIALS, Service.STRING))
    assert (
        configuration(entry, PATH)
        == """\
# Table "my "users"" of smtpd.conf, by opensmtpd-plugins. Used for: credentials, string.
dbpath /var/db/smtpd.sqlite
query_credentials SELECT user, password FROM "my ""users\""" WHERE key = ?
# For hashes of a listener's users that crypt(3) lacks, with smtpd 7.9 or later:
# instead of query_credentials, this. Then table-sqlite checks the passwords itself.
# query_auth SELECT user, password FROM "my ""users\""" WHERE key = ?
query_string SELECT key FROM "my ""users\""" WHERE key = ?
"""
    )


def test_the_delimiter_of_tags() -> None:
    lines = text(RowKind.LIST, Service.MAILADDR, delimiter="-")
    assert lines[0] == "sub_addr_delim -"


@pytest.mark.parametrize(
    ("kind", "services"),
    [
        (RowKind.LIST, "domain netaddr source mailaddr relayhost string"),
        (RowKind.MAPPING, "alias mailaddrmap addrname relayhost mailaddr string"),
        (RowKind.CREDENTIALS, "credentials"),
        (RowKind.USERINFO, "userinfo"),
    ],
)
def test_a_table_without_a_use_serves_all_that_fit(kind: RowKind, services: str) -> None:
    found = [re.split("[_ ]", line)[1] for line in text(kind)]
    assert list(dict.fromkeys(found)) == services.split()


@pytest.mark.parametrize("path", ["/a\nb", "/a ", " /a"])
def test_paths_that_the_format_cannot_hold(path: str) -> None:
    with pytest.raises(ConfigError, match="begins or ends with a space"):
        configuration(CatalogueEntry("t", RowKind.LIST), path)


COMBINATIONS = [
    (kind, service)
    for kind, service in itertools.product(RowKind, [None, *Service])
    if service is not Service.AUTH and text(kind, *([service] if service else []))
]


@pytest.mark.parametrize(("kind", "service"), COMBINATIONS)
def test_table_sqlite_takes_it_and_looks_up_by_index(
    tmp_path: Path, kind: RowKind, service: Service | None
) -> None:
    path = str(tmp_path / "db")
    entry = CatalogueEntry('odd " [x] :', kind, (service,) if service else ())
    db = sqlite3.connect(path, isolation_level=None)
    schema.create(db, [entry])
    (tmp_path / "c").write_text(configuration(entry, path), encoding="utf-8")
    found = config.read(str(tmp_path / "c"))
    assert found.dbpath == path
    database = Database(found)
    database.check()
    database.close()
    for statement in found.statements.values():
        keys = ("x",) * statement.sql.count("?")
        plan = db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", keys).fetchall()
        (detail,) = [row[3] for row in plan]
        if statement.key.startswith("query_"):
            assert "SEARCH" in detail
            assert "PRIMARY KEY (key=?)" in detail
        elif service is Service.DOMAIN and statement.key == "patterns_domain":
            assert "patterns" in detail  # the index of rows with a star
    db.close()


@pytest.mark.parametrize(
    ("row", "listed"),
    [
        ("198.51.100.7", False),
        ("10.0.0.0", False),
        ("100.200.0.10", False),
        ("198.051.100.007", True),
        ("010.0.0.1", True),
        ("10.0.0.01", True),
        ("10.0.0.00", True),
        ("10.0.0.1/32", True),
        ("10.0.1", True),
        ("0x0a000001", True),
        ("ipv6:10.0.0.1", True),
        ("2001:db8::1", True),
        ("[2001:db8::1]", True),
        ("64:ff9b::192.0.2.1", True),
        ("2001:db8:255:255:255:255:1.2.3.4", True),
    ],
)
def test_rows_that_match_other_spellings_than_their_own_are_listed(row: str, listed: bool) -> None:
    """All but IPv4 addresses as smtpd writes them are read into memory, where they are matched."""
    (sql,) = [
        line.split(" ", 1)[1]
        for line in text(RowKind.LIST, Service.NETADDR)
        if line.startswith("patterns_netaddr ")
    ]
    db = sqlite3.connect(":memory:")
    schema.create(db, [CatalogueEntry("t", RowKind.LIST, (Service.NETADDR,))])
    db.execute("INSERT INTO t VALUES (?)", (row,))
    assert db.execute(sql).fetchall() == [(row,)] * listed
    db.close()
