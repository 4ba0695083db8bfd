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
    """A ``Store`` whose changes take effect together, with ``commit``.

    Raises ServerLost, ServerLate, and ConfigError where the server refuses a command.
    """

    undoes = True

    def __init__(self, link: RedisLink, name: str) -> None:
        self._link, self._name = link, name
        self._new: dict[str, CatalogueEntry] = {}
        self._sent: dict[str, int] = {}
        """The rows that were sent for each new table."""
        self._prefix = to_bytes(f"{NEW}{secrets.token_hex(8)}:")
        self._gone: set[str] = set()
        self._changes: list[list[bytes]] = []
        """The commands that change rows of tables that were there before."""
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
        """Have all tables come into being, and go, and all rows change, in one step.

        Raises ConfigError where one of these tables was changed since they were read.
        """
        steps = list(self._changes)
        for name in map(to_bytes, self._gone):
            steps += [[b"DEL", name], [b"HDEL", CATALOGUE, name]]
        for entry in self._new.values():
            name = to_bytes(entry.name)
            words = " ".join([entry.kind.value, *entry.services])
            if self._sent.get(entry.name):
                self._must_be_whole(entry)
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
        self._changes.clear()
        self._sent.clear()

    def _must_be_whole(self, entry: CatalogueEntry) -> None:
        """Raise ConfigError where the server has thrown away rows of a new table.

        With a maxmemory-policy of ``volatile-…`` it begins with keys that have an end.
        """
        verb = b"SCARD" if entry.kind is RowKind.LIST else b"HLEN"
        there, sent = self._one(verb, self._key(entry)), self._sent[entry.name]
        if there != sent:
            fault = f"table {entry.name}: the server has thrown away some of its {sent} rows"
            raise ConfigError(fault, path=self._name, remedy="give it more memory")

    # --- rows -----------------------------------------------------------------------------------

    def _key(self, entry: CatalogueEntry) -> bytes:
        name = to_bytes(entry.name)
        return self._prefix + name if entry.name in self._new else name

    def has(self, entry: CatalogueEntry, key: str) -> bool:
        """Return whether there is a row with this key."""
        verb = b"SISMEMBER" if entry.kind is RowKind.LIST else b"HEXISTS"
        return self._one(verb, self._key(entry), to_bytes(key)) == 1

    def _watched(self, entry: CatalogueEntry, verb: bytes, key: str) -> RespReply:
        """Return the reply about a key, whose table nobody may change before ``commit``."""
        table = self._key(entry)
        return self._ask([b"WATCH", table], [verb, table, to_bytes(key)])[1]

    def insert(self, entry: CatalogueEntry, *row: str | int) -> None:
        """Add a row. Raises ConfigError where its key is there already."""
        if entry.name in self._new:  # of which nobody else knows
            if self.has(entry, str(row[0])):
                raise there_already(entry, row[0])
            self.fill(entry, [row])
            return
        is_list = entry.kind is RowKind.LIST
        if self._watched(entry, b"SISMEMBER" if is_list else b"HEXISTS", str(row[0])) == 1:
            raise there_already(entry, row[0])
        table, (key, value) = self._key(entry), _written(row)
        self._changes.append([b"SADD", table, key] if is_list else [b"HSET", table, key, value])

    def fill(self, entry: CatalogueEntry, rows: Iterable[StoreRow]) -> None:
        """Add rows to a table. Those of a new one are sent at once, for they may be many."""
        is_list = entry.kind is RowKind.LIST
        table, left = self._key(entry), iter(rows)
        expiry = [[b"EXPIRE", table, LEFT]] if entry.name in self._new else []
        while batch := list(islice(left, BATCH)):
            cells = map(_written, batch)
            words = (
                [key for key, _ in cells] if is_list else [cell for each in cells for cell in each]
            )
            self._ask([b"SADD" if is_list else b"HSET", table, *words], *expiry)
            self._sent[entry.name] = self._sent.get(entry.name, 0) + len(batch)

    def set_password(self, entry: CatalogueEntry, key: str, hash: str) -> bool:
        """Change the hash of a user; return whether there is one."""
        value = self._watched(entry, b"HGET", key)
        if not isinstance(value, bytes):
            return False
        user = value.partition(b":")[0]
        self._changes.append(
            [b"HSET", self._key(entry), to_bytes(key), user + b":" + to_bytes(hash)]
        )
        return True

    def delete(self, entry: CatalogueEntry, key: str) -> bool:
        """Remove a row; return whether it was there."""
        is_list = entry.kind is RowKind.LIST
        if self._watched(entry, b"SISMEMBER" if is_list else b"HEXISTS", key) != 1:
            return False
        verb = b"SREM" if is_list else b"HDEL"
        self._changes.append([verb, self._key(entry), to_bytes(key)])
        return True

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
