"""table-sqlite and its C original with one configuration file and one database."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from lab.peers.table_client import TableClient, original, ours

Ask = tuple[bytes, str | None, bytes | None]
"""Verb, service and key."""

SCHEMA = """
CREATE TABLE one (key, value);
CREATE TABLE addresses (key, value);
CREATE TABLE credentials (key, user, hash);
CREATE TABLE userinfo (key, uid, gid, home);
CREATE TABLE sources (address);
"""
ONE_COLUMN = ("alias", "domain", "netaddr", "source", "mailaddr", "addrname", "mailaddrmap")
SERVICES = (*ONE_COLUMN, "credentials", "userinfo")
"""What the C program knows."""
CONF = "\n".join(
    (
        "dbpath {folder}/test.db",
        *(
            f"query_{service} SELECT value FROM {'addresses' if service == 'mailaddr' else 'one'}"
            " WHERE key = ?"
            for service in ONE_COLUMN
        ),
        "query_credentials SELECT user, hash FROM credentials WHERE key = ?",
        "query_userinfo SELECT uid, gid, home FROM userinfo WHERE key = ?",
        "fetch_source SELECT address FROM sources",
        "",
    )
)


def connect(folder: Path) -> sqlite3.Connection:
    """Open the database to write; each statement is a transaction."""
    return sqlite3.connect(folder / "test.db", isolation_level=None)


def lay_out(folder: Path, conf: str = CONF) -> Path:
    """Make an empty database and the configuration file; returns its path."""
    with connect(folder) as db:
        db.executescript(SCHEMA)
    db.close()
    path = folder / "sqlite.conf"
    path.write_bytes(conf.replace("{folder}", str(folder)).encode("utf-8", "surrogateescape"))
    return path


ROWS = {
    "credentials": "INSERT INTO credentials VALUES ('k', ?, 'hash')",
    "userinfo": "INSERT INTO userinfo VALUES ('k', 1, 2, ?)",
    "mailaddr": "INSERT INTO addresses VALUES ('k', ?)",
}


def insert(folder: Path, service: str, *cells: object) -> None:
    with connect(folder) as db:
        sql = ROWS.get(service, "INSERT INTO one VALUES ('k', ?)")
        db.executemany(sql, [(cell,) for cell in cells])
    db.close()


def kind(answer: bytes) -> bytes:
    """Leave out what is said of an error: only ours says something."""
    return b"error" if answer.startswith(b"error") else answer


class Both:
    """``with Both(root, conf) as both:`` runs both programs."""

    def __init__(self, root: Path, conf: Path, program: str = "table-sqlite") -> None:
        self.theirs = TableClient(original(root, program), conf)
        try:
            self.ours = TableClient(ours(program), conf)
        except BaseException:
            self.theirs.close()
            raise

    def __enter__(self) -> "Both":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.theirs.close()
        finally:
            self.ours.close()

    def ask(self, verb: bytes, service: str | None = None, key: bytes | None = None) -> bytes:
        """Ask both; returns their one answer."""
        mine = kind(self.ours.ask(verb, service, key))
        assert mine == kind(self.theirs.ask(verb, service, key)), (verb, service, key)
        return mine

    def agree(self, asked: Iterable[Ask]) -> list[bytes]:
        """Ask both a lot; returns the answers, which must be the same."""
        asked = list(asked)
        theirs = [kind(answer) for answer in self.theirs.pipeline(asked)]
        mine = [kind(answer) for answer in self.ours.pipeline(asked)]
        for request, one, other in zip(asked, theirs, mine, strict=True):
            assert one == other, request
        return mine
