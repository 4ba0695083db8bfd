"""table-sqlite on databases for tests."""

import argparse
from pathlib import Path

from opensmtpd.table import Service
from opensmtpd_tables.sqlite import Sqlite
from unit.support.sqlite_files import LOOKUP, create, settings, write

PLAIN = [service for service in Service if service is not Service.AUTH]
QUERIES = [f"query_{service} {LOOKUP}" for service in PLAIN] + [
    "fetch_source SELECT value FROM rows"
]
QUERIES[2] = "query_credentials SELECT key, value FROM rows WHERE key = ?"
QUERIES[4] = "query_userinfo SELECT uid, gid, home FROM users WHERE name = ?"


def populated(folder: Path) -> Path:
    """Make a database with one row, and no users."""
    path = create(folder / "test.db", alice="bob")
    write(path, "CREATE TABLE users (name, uid, gid, home)")
    return path


def table(path: Path, *lines: str, check: bool = False) -> Sqlite:
    """Return the table of a database, with a query for each service or with these lines."""
    conf = settings(path, *(lines or QUERIES))
    return Sqlite(argparse.Namespace(path=str(conf), check=check))


def domains(path: Path) -> Sqlite:
    """Return a table of domains with an index of patterns."""
    return table(path, f"query_domain {LOOKUP}", "patterns_domain SELECT key FROM rows")
