"""The rows of tables in Valkey or Redis.

A list is a set that is named as its table, and any other table is a hash: its fields are keys, and
their values are as in a table file (table(5)). ``smtpd_tables``, a hash too, has the kind and the
services of each table.
"""

import secrets
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.resp import RespFailure, RespReply, pack
from opensmtpd.errors import ConfigError
from opensmtpd.table import to_bytes, to_str
from opensmtpd_cli.database.schema import COLUMNS, CatalogueEntry, services_of
from opensmtpd_cli.database.store import StoreRow, there_already
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

SECONDS = 10.0
"""For each exchange with the server."""
BATCH = 1000
"""Rows that are sent, or read, together."""
CATALOGUE = b"smtpd_tables"
NEW = "smtpd_new:"
"""The beginning of the keys of tables that are not complete: a random word and the name follow."""
LEFT = b"86400"
"""Seconds that they stay where we are killed."""


class RedisStore:
    """A ``Store`` whose new tables come into being together, with ``commit``.

    Single rows change at once. Raises ServerLost, ServerLate, and ConfigError where the server
    refuses a command.
    """

    undoes = True

    def __init__(self, link: RedisLink, name: str) -> None:
        self._link, self._name = link, name
        self._new: dict[str, CatalogueEntry] = {}
        self._prefix = to_bytes(f"{NEW}{secrets.token_hex(8)}:")
        self._gone: set[str] = set()
        self._may_be_empty = False

    def _ask(self, *commands: list[bytes]) -> list[RespReply]:
        """Return the replies to commands."""
        data = b"".join(map(pack, commands))
        replies = self._link.exchange(data, len(commands), time.monotonic() + SECONDS)
        for reply in replies:
            if isinstance(reply, RespFailure):
                raise ConfigError(f"the server refuses: {reply.code}", path=self._name)
        return replies

    def _one(self, *words: bytes) -> RespReply:
        return self._ask(list(words))[0]

    # --- tables ---------------------------------------------------------------------------------

    def entries(self) -> list[CatalogueEntry]:
        """Return the tables, by name. Raises ConfigError where there are none."""
        found = _pairs(self._one(b"HGETALL", CATALOGUE))
        if not found and not self._may_be_empty:
            remedy = f"fill it: opensmtpd-plugins import /etc/mail/smtpd.conf {self._name}"
            raise ConfigError("the database has no tables of smtpd", path=self._name, remedy=remedy)
        there = [self._entry(*each) for each in found if each[0] not in self._gone]
        return sorted([*there, *self._new.values()])

    def _entry(self, name: str, words: str) -> CatalogueEntry:
        kind, _, services = words.partition(" ")
        if kind not in set(RowKind):
            fault = f"smtpd_tables has {name}, of the kind {kind!r:.40}, which is unknown"
            raise ConfigError(fault, path=self._name, remedy="correct it")
        return CatalogueEntry(name, RowKind(kind), services_of(services))

    def migrate(self) -> None:
        """Take a database without tables: there is nothing to make before the first."""
        self._may_be_empty = True

    def create_table(self, entry: CatalogueEntry) -> None:
        """Make one more table. Raises ConfigError where another key has its name."""
        if not entry.name or any(char.isspace() for char in entry.name):
            message = f"table {entry.name}: a query could not name it"
            raise ConfigError(message, path=self._name, remedy="rename it")
        name = to_bytes(entry.name)
        _, known, taken = self._ask(
            [b"WATCH", CATALOGUE, name], [b"HEXISTS", CATALOGUE, name], [b"EXISTS", name]
        )
        if taken and not known:
            message = f"there is a key {entry.name}, which is no table of smtpd"
            raise ConfigError(message, path=self._name, remedy="use another database of the server")
        if known and entry.name not in self._gone:
            raise self._changed()
        self._new[entry.name] = entry

    def drop_table(self, name: str) -> None:
        """Remove a table with all its rows, with ``commit``."""
        self._gone.add(name)

    def _changed(self) -> ConfigError:
        return ConfigError("its tables were changed meanwhile", path=self._name, remedy="try again")

    def undo(self) -> None:
        """Remove the new tables."""
        if self._new:
            self._one(b"DEL", *map(self._key, self._new.values()))

    def commit(self) -> None:
        """Have all tables come into being, and go, in one step."""
        steps = []
        for name in map(to_bytes, self._gone):
            steps += [[b"DEL", name], [b"HDEL", CATALOGUE, name]]
        for entry in self._new.values():
            name = to_bytes(entry.name)
            words = " ".join([entry.kind.value, *entry.services])
            if self._one(b"EXISTS", self._key(entry)):
                steps += [[b"RENAME", self._key(entry), name], [b"PERSIST", name]]
            steps.append([b"HSET", CATALOGUE, name, words.encode()])
        if steps:
            done = self._ask([b"MULTI"], *steps, [b"EXEC"])[-1]
            if done is None:
                raise self._changed()
            if not isinstance(done, list) or any(isinstance(each, RespFailure) for each in done):
                raise ConfigError("the server did not do all of it", path=self._name)
        self._new.clear()
        self._gone.clear()

    # --- rows -----------------------------------------------------------------------------------

    def _key(self, entry: CatalogueEntry) -> bytes:
        name = to_bytes(entry.name)
        return self._prefix + name if entry.name in self._new else name

    def _add(self, verb: bytes, entry: CatalogueEntry, *words: bytes) -> RespReply:
        key = self._key(entry)
        expiry = [[b"EXPIRE", key, LEFT]] if entry.name in self._new else []
        return self._ask([verb, key, *words], *expiry)[0]

    def has(self, entry: CatalogueEntry, key: str) -> bool:
        """Return whether there is a row with this key."""
        verb = b"SISMEMBER" if entry.kind is RowKind.LIST else b"HEXISTS"
        return self._one(verb, self._key(entry), to_bytes(key)) == 1

    def insert(self, entry: CatalogueEntry, *row: str | int) -> None:
        """Add a row. Raises ConfigError where its key is there already."""
        key, value = _written(row)
        if entry.kind is RowKind.LIST:
            added = self._add(b"SADD", entry, key)
        else:
            added = self._add(b"HSETNX", entry, key, value)
        if added != 1:
            raise there_already(entry, row[0])

    def fill(self, entry: CatalogueEntry, rows: Iterable[StoreRow]) -> None:
        """Add rows to a table."""
        is_list = entry.kind is RowKind.LIST
        left = iter(rows)
        while batch := list(islice(left, BATCH)):
            cells = [_written(row) for row in batch]
            words = (
                [key for key, _ in cells] if is_list else [cell for each in cells for cell in each]
            )
            self._add(b"SADD" if is_list else b"HSET", entry, *words)

    def set_password(self, entry: CatalogueEntry, key: str, hash: str) -> bool:
        """Change the hash of a user; return whether there is one."""
        value = self._one(b"HGET", self._key(entry), to_bytes(key))
        if not isinstance(value, bytes):
            return False
        user = value.partition(b":")[0]
        self._one(b"HSET", self._key(entry), to_bytes(key), user + b":" + to_bytes(hash))
        return True

    def delete(self, entry: CatalogueEntry, key: str) -> bool:
        """Remove a row; return whether it was there."""
        verb = b"SREM" if entry.kind is RowKind.LIST else b"HDEL"
        return self._one(verb, self._key(entry), to_bytes(key)) == 1

    def every(self, entry: CatalogueEntry, *columns: str) -> Iterator[StoreRow]:
        """Yield these columns of all rows, by key. They are not of one moment."""
        places = [COLUMNS[entry.kind].index(name) for name in columns]
        rows = dict(self._scanned(entry))
        for key in sorted(rows):
            row = _read(entry.kind, key, rows[key])
            yield tuple(row[place] for place in places)

    def _scanned(self, entry: CatalogueEntry) -> Iterator[tuple[bytes, bytes]]:
        verb = b"SSCAN" if entry.kind is RowKind.LIST else b"HSCAN"
        cursor = b"0"
        while True:
            reply = self._one(verb, self._key(entry), cursor, b"COUNT", b"%d" % BATCH)
            assert isinstance(reply, list)
            cursor, found = reply  # type: ignore[assignment]  # of SCAN's two elements
            assert isinstance(found, list)
            cells: list[bytes] = found  # type: ignore[assignment]  # strings
            if entry.kind is RowKind.LIST:
                yield from ((key, b"") for key in cells)
            else:
                yield from zip(cells[::2], cells[1::2], strict=True)
            if cursor == b"0":
                return


def _written(row: StoreRow) -> tuple[bytes, bytes]:
    """Return key and value of a row."""
    key, *rest = (to_bytes(str(cell)) for cell in row)
    return key, b":".join(rest)


def _read(kind: RowKind, key: bytes, value: bytes) -> StoreRow:
    """Return the cells of a row. Raises ConfigError for one that somebody else has written."""
    name, text = to_str(key), to_str(value)
    if kind is RowKind.LIST:
        return (name,)
    if kind is RowKind.MAPPING:
        return name, text
    if kind is RowKind.CREDENTIALS:
        user, colon, password = text.partition(":")
        if colon:
            return name, user, password
    else:
        uid, gid, home = [*text.split(":", 2), "", ""][:3]
        if uid.isascii() and uid.isdigit() and gid.isascii() and gid.isdigit():
            return name, int(uid), int(gid), home
    raise ConfigError(f"{name}: its value is not of the kind {kind}", remedy="change or remove it")


def _pairs(reply: RespReply) -> list[tuple[str, str]]:
    assert isinstance(reply, list)
    words = [to_str(each) for each in reply if isinstance(each, bytes)]
    return list(zip(words[::2], words[1::2], strict=True))
