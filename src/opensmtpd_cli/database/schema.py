"""The SQLite database that ``opensmtpd-plugins import`` writes and ``table-sqlite`` reads.

There is an SQL table for each table of smtpd.conf, named as it, and ``smtpd_tables``, which says
what they are. The statements below carry their own comments, which SQLite keeps:
``sqlite3 DATABASE .schema`` shows them.

=============  ========================  ==============================================
kind           columns                   a row of the table file
=============  ========================  ==============================================
list           key                       ``key``
mapping        key, value                ``key: value``
credentials    key, user, password       ``key: user:password`` (a bare ``key: password``
                                         has the key as its user)
userinfo       key, uid, gid, home       ``key: uid:gid:home``
=============  ========================  ==============================================

Keys are lower-cased (ASCII), as smtpd does when it reads a table file and when it asks. Bytes that
are no UTF-8 stand in the database as they are, and in Python as surrogate escapes: bind with
``CAST(? AS TEXT)`` and `encoded`, and read through `connect`. The journal is SQLite's default
(DELETE, never WAL): so smtpd's user can read the database without write access to it.
"""

import os
import sqlite3
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from opensmtpd.errors import ConfigError, nearest
from opensmtpd.table import KEY_MAX, VALUE_MAX, Service
from opensmtpd.table.limits import HOME_MAX, ID_MAX
from opensmtpd_cli.database import faults
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

_VERSION = 1


class CatalogueEntry(NamedTuple):
    """A row of ``smtpd_tables``."""

    name: str
    kind: RowKind
    services: tuple[Service, ...] = ()


COLUMNS = {
    RowKind.LIST: ("key",),
    RowKind.MAPPING: ("key", "value"),
    RowKind.CREDENTIALS: ("key", "user", "password"),
    RowKind.USERINFO: ("key", "uid", "gid", "home"),
}

CATALOGUE = """\
CREATE TABLE smtpd_tables (
    name TEXT NOT NULL PRIMARY KEY,    -- in smtpd.conf, and of the SQL table with the rows
    kind TEXT NOT NULL                 -- the columns of that table
        CHECK (kind IN ('list', 'mapping', 'credentials', 'userinfo')),
    service TEXT NOT NULL DEFAULT ''   -- what smtpd.conf uses it for: smtpd's names of the
                                       -- services, with a space between; '' for none
) WITHOUT ROWID"""

_TEXT = "length(CAST({0} AS BLOB)) BETWEEN 1 AND {1} AND instr({0}, char(10)) = 0"
_KEY = f"""\
    key TEXT NOT NULL PRIMARY KEY      -- what smtpd asks for, in lower case
        CHECK (key = lower(key) AND {_TEXT.format("key", KEY_MAX)})"""

WILDCARD = "instr(key, '*') > 0"
"""The condition for rows of domains that are read into memory, and have an index of their own."""

_ROWS = {
    RowKind.LIST: _KEY,
    RowKind.MAPPING: f"""\
{_KEY},
    value TEXT NOT NULL                -- what smtpd gets, as behind the key in a table file
        CHECK ({_TEXT.format("value", VALUE_MAX)})""",
    RowKind.CREDENTIALS: f"""\
{_KEY},
    user TEXT NOT NULL                 -- the user name that goes with the password
        CHECK ({_TEXT.format("user", VALUE_MAX)} AND instr(user, ':') = 0),
    password TEXT NOT NULL             -- of a listener's users: its hash ("smtpctl encrypt");
                                       -- of a relay's labels: itself
        CHECK ({_TEXT.format("user || ':' || password", VALUE_MAX)} AND password <> '')""",
    RowKind.USERINFO: f"""\
{_KEY},
    uid INTEGER NOT NULL               -- who the mail is delivered as
        CHECK (typeof(uid) = 'integer' AND uid BETWEEN 0 AND {ID_MAX}),
    gid INTEGER NOT NULL               -- and the group
        CHECK (typeof(gid) = 'integer' AND gid BETWEEN 0 AND {ID_MAX}),
    home TEXT NOT NULL                 -- the directory that user.directory stands for
        CHECK ({_TEXT.format("home", HOME_MAX)})""",
}


def identifier(name: str) -> str:
    """Return a table's name as SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def file_name(name: str) -> str:
    """Return a table's name as that of a file. Raises ConfigError where it is none."""
    if "/" in name or name.startswith(".") or not name.isprintable():
        raise ConfigError(f"table {name}: there can be no file of this name", remedy="rename it")
    return name


def encoded(text: str) -> bytes:
    """Return text as it is bound to ``CAST(? AS TEXT)``."""
    return text.encode("utf-8", "surrogateescape")


def decoded(raw: bytes) -> str:
    """Return text as it comes out of the database."""
    return raw.decode("utf-8", "surrogateescape")


def create(db: sqlite3.Connection, entries: Iterable[CatalogueEntry]) -> None:
    """Create all tables in an empty database. Raises sqlite3.Error."""
    db.execute(f"PRAGMA user_version = {_VERSION}")
    db.execute(CATALOGUE)
    for entry in entries:
        create_table(db, entry)


def create_table(db: sqlite3.Connection, entry: CatalogueEntry) -> None:
    """Create one more table. Raises sqlite3.Error."""
    table, words = identifier(entry.name), " ".join(entry.services)
    row = (encoded(entry.name), entry.kind.value, words)
    db.execute("INSERT INTO smtpd_tables VALUES (CAST(? AS TEXT), ?, ?)", row)
    db.execute(f"CREATE TABLE {table} (\n{_ROWS[entry.kind]}\n) WITHOUT ROWID")
    if Service.DOMAIN in entry.services:
        index = identifier(f"{entry.name} patterns")
        db.execute(f"CREATE INDEX {index} ON {table} (key) WHERE {WILDCARD}")


def connect(path: str, *, write: bool = False) -> sqlite3.Connection:
    """Open a database that `create` made, in autocommit mode. Locks are waited for 5 seconds.

    Raises ConfigError for a file that is not there or not such a database, OSError.
    """
    # Also to read: what a writer that crashed has left is rolled back, where we may.
    uri = Path(os.path.abspath(path)).as_uri() + "?mode=rw"
    db = None
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FileNotFoundError
        db = sqlite3.connect(uri, uri=True, isolation_level=None)
        db.text_factory = decoded
        db.execute(f"PRAGMA query_only = {not write}")
        known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'smtpd_tables'").fetchone()
        version = db.execute("PRAGMA user_version").fetchone()[0]
    except (FileNotFoundError, NotADirectoryError):
        raise missing(path) from None
    except sqlite3.DatabaseError as error:
        if db is not None:
            db.close()
        raise faults.fault(error, path, write=False) from None
    if not known or version > _VERSION:
        db.close()
        remedy = "give one that opensmtpd-plugins import has written"
        raise ConfigError("a database with another schema", path=path, remedy=remedy)
    return db


def missing(path: str) -> ConfigError:
    """Return the error for a database that is not there."""
    folder, name = os.path.split(path)
    near = None
    with suppress(OSError):
        near = nearest(name, os.listdir(folder or "."))
    remedy = "write one: opensmtpd-plugins import /etc/mail/smtpd.conf DATABASE"
    if near:
        remedy = f"did you mean {os.path.join(folder, near)}? Else {remedy}"
    return ConfigError("there is no such database", path=path, remedy=remedy)


def entries(db: sqlite3.Connection) -> list[CatalogueEntry]:
    """Return what ``smtpd_tables`` holds, by name. Raises sqlite3.Error."""
    rows = db.execute("SELECT name, kind, service FROM smtpd_tables ORDER BY name")
    return [CatalogueEntry(name, RowKind(kind), services_of(words)) for name, kind, words in rows]


def services_of(words: str) -> tuple[Service, ...]:
    """Return the services that the words of ``smtpd_tables`` name."""
    return tuple(Service(word) for word in words.split() if word in set(Service))
