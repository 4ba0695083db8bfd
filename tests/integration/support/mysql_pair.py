"""table-mysql and its C original with one configuration file and one database."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from lab.peers.databases.mariadb import MariadbServer
from lab.peers.table_client import TableClient, original, ours

USER, SECRET = "smtpd", "s3cret"
ONE_COLUMN = ("alias", "domain", "netaddr", "source", "mailaddr", "addrname", "mailaddrmap")
SERVICES = (*ONE_COLUMN, "credentials", "userinfo")
"""What the C program knows."""
SCHEMA = """\
CREATE TABLE one (name VARCHAR(300), value TEXT, place INT AUTO_INCREMENT PRIMARY KEY, KEY (name));
CREATE TABLE logins (name VARCHAR(300), user TEXT, hash TEXT, KEY (name));
CREATE TABLE users (name VARCHAR(300), uid TEXT, gid INT UNSIGNED, home TEXT, KEY (name));
CREATE TABLE sources (address TEXT);
"""
QUERIES = "".join(
    (
        *(
            f"query_{service} SELECT value FROM one WHERE name = ? ORDER BY place\n"
            for service in ONE_COLUMN
        ),
        "query_credentials SELECT user, hash FROM logins WHERE name = ?\n",
        "query_userinfo SELECT uid, gid, home FROM users WHERE name = ?\n",
        "fetch_source SELECT address FROM sources\n",
    )
)


def literal(cell: object) -> str:
    """Return a value in SQL."""
    if cell is None:
        return "NULL"
    raw = cell if isinstance(cell, bytes) else str(cell).encode()
    return f"CONVERT(x'{raw.hex()}' USING utf8mb4)"


def insert(table: str, rows: Iterable[Sequence[object]]) -> str:
    """Return the SQL that adds rows."""
    values = ",".join(f"({','.join(map(literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES {values};\n"


def lay_out(server: MariadbServer, database: str, folder: Path, more: str = QUERIES) -> Path:
    """Make an empty database, and the configuration; return its path."""
    server.database(database)
    server.account(USER, SECRET)
    server.execute(SCHEMA, database)
    conf = folder / "mysql.conf"
    login = f"host 127.0.0.1\nusername {USER}\npassword {SECRET}\ndatabase {database}\n"
    conf.write_text(login + more)
    conf.chmod(0o600)
    return conf


def theirs(server: MariadbServer, conf: Path) -> "partial[TableClient]":
    """Return what starts the C program."""
    return partial(TableClient, original(server.view, "table-mysql"), conf)


def mine(conf: Path) -> "partial[TableClient]":
    """Return what starts ours."""
    return partial(TableClient, ours("table-mysql"), conf)
