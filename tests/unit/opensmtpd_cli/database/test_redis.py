"""Rows in Valkey: the commands, and values that somebody else has written.

``integration/cli/test_servers.py`` has the same with a server.
"""

import pytest

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import RespFailure, RespReply, pack
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database.redis import RedisStore
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

ALIASES = CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,))
DOMAINS = CatalogueEntry("domains", RowKind.LIST, (Service.DOMAIN,))
USERS = CatalogueEntry("users", RowKind.CREDENTIALS, (Service.CREDENTIALS,))
BASE = CatalogueEntry("base", RowKind.USERINFO, ())
ALIASES_NEW = b"smtpd_new:word:aliases"


class Link(RedisLink):
    """A link that is told its replies, each with the packed commands that it is for."""

    def __init__(self, *told: tuple[list[list[bytes]], list[RespReply]]) -> None:
        super().__init__(RedisPlace())
        self._told = list(told)

    def exchange(self, data: bytes, count: int, until: float) -> list[RespReply]:
        commands, replies = self._told.pop(0)
        assert data == b"".join(map(pack, commands))
        assert count == len(replies)
        return replies

    @property
    def silent(self) -> bool:
        return not self._told


def one(*words: bytes, reply: RespReply) -> tuple[list[list[bytes]], list[RespReply]]:
    return [list(words)], [reply]


def test_tables_by_name() -> None:
    found: RespReply = [b"users", b"credentials credentials", b"aliases", b"mapping alias"]
    store = RedisStore(Link(one(b"HGETALL", b"smtpd_tables", reply=found)), "redis:/x")
    assert store.entries() == [ALIASES, USERS]


def looked(name: bytes, found: list[RespReply]) -> tuple[list[list[bytes]], list[RespReply]]:
    watch = [b"WATCH", b"smtpd_tables", name]
    return [watch, [b"HEXISTS", b"smtpd_tables", name], [b"EXISTS", name]], ["OK", *found]  # type: ignore[list-item]  # a status is not looked at


@pytest.fixture(autouse=True)
def word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "word")


def test_tables_that_another_import_has_made_meanwhile() -> None:
    link = Link(
        looked(b"aliases", [0, 0]),
        (
            [[b"MULTI"], [b"HSET", b"smtpd_tables", b"aliases", b"mapping alias"], [b"EXEC"]],
            [b"OK", b"QUEUED", None],
        ),
        one(b"DEL", ALIASES_NEW, reply=0),
        looked(b"aliases", [1, 1]),
    )
    store = RedisStore(link, "redis:/x")
    store.create_table(ALIASES)
    with pytest.raises(ConfigError, match="redis:/x: its tables were changed meanwhile; try again"):
        store.commit()
    store.undo()
    with pytest.raises(ConfigError, match="its tables were changed meanwhile"):
        RedisStore(link, "redis:/x").create_table(ALIASES)
    assert link.silent


def test_a_list_of_tables_that_somebody_else_has_written() -> None:
    store = RedisStore(Link(one(b"HGETALL", b"smtpd_tables", reply=[b"a", b"map x"])), "redis:/x")
    with pytest.raises(ConfigError, match="smtpd_tables has a, of the kind 'map', which is unk"):
        store.entries()


def test_new_tables_come_into_being_together() -> None:
    link = Link(
        looked(b"aliases", [0, 0]),
        (
            [[b"HSET", ALIASES_NEW, b"a", b"b", b"c", b"d"], [b"EXPIRE", ALIASES_NEW, b"86400"]],
            [2, 1],
        ),
        one(b"HLEN", ALIASES_NEW, reply=2),
        (
            [
                *([b"MULTI"], [b"DEL", b"old"], [b"HDEL", b"smtpd_tables", b"old"]),
                *([b"RENAME", ALIASES_NEW, b"aliases"], [b"PERSIST", b"aliases"]),
                *([b"HSET", b"smtpd_tables", b"aliases", b"mapping alias"], [b"EXEC"]),
            ],
            [*(["x"] * 6), [1, 1, "OK", 1, 1]],  # type: ignore[list-item]  # statuses are not looked at
        ),
    )
    store = RedisStore(link, "redis:/x")
    store.migrate()
    store.drop_table("old")
    store.create_table(ALIASES)
    store.fill(ALIASES, [("a", "b"), ("c", "d")])
    store.commit()
    assert link.silent


@pytest.mark.parametrize(
    ("entry", "rows", "sent", "there"),
    [
        (ALIASES, [("a", "b"), ("c", "d")], [b"HSET", b"a", b"b", b"c", b"d"], (b"HLEN", 1)),
        (DOMAINS, [("a",), ("c",)], [b"SADD", b"a", b"c"], (b"SCARD", 0)),
    ],
)
def test_a_server_that_throws_rows_away(
    entry: CatalogueEntry,
    rows: list[tuple[str, ...]],
    sent: list[bytes],
    there: tuple[bytes, int],
) -> None:
    """Those of new tables go first where it is full: their keys have an end."""
    name = entry.name.encode()
    new = b"smtpd_new:word:" + name
    link = Link(
        looked(name, [0, 0]),
        ([[sent[0], new, *sent[1:]], [b"EXPIRE", new, b"86400"]], [2, 1]),
        one(there[0], new, reply=there[1]),
    )
    store = RedisStore(link, "redis:/x")
    store.create_table(entry)
    store.fill(entry, rows)
    reason = f"table {entry.name}: the server has thrown away some of its 2 rows; give it more mem"
    with pytest.raises(ConfigError, match=reason):
        store.commit()
    assert link.silent


def watched(*words: bytes, reply: RespReply) -> tuple[list[list[bytes]], list[RespReply]]:
    return [[b"WATCH", words[1]], list(words)], [b"OK", reply]


def test_rows_of_each_kind_change_together() -> None:
    link = Link(
        watched(b"SISMEMBER", b"domains", b"example.org", reply=0),
        watched(b"HEXISTS", b"users", b"alice", reply=0),
        watched(b"HEXISTS", b"base", b"alice", reply=0),
        watched(b"HGET", b"users", b"carol", reply=b"carol:hash"),
        watched(b"HGET", b"users", b"bob", reply=None),
        watched(b"SISMEMBER", b"domains", b"example.net", reply=1),
        watched(b"HEXISTS", b"aliases", b"x", reply=0),
        watched(b"HEXISTS", b"aliases", b"y", reply=1),
        one(b"HEXISTS", b"aliases", b"x", reply=1),
        one(b"SISMEMBER", b"domains", b"x", reply=0),
        (
            [
                *([b"MULTI"], [b"SADD", b"domains", b"example.org"]),
                [b"HSET", b"users", b"alice", b"alice:hash"],
                [b"HSET", b"base", b"alice", b"1000:1001:/home/a:b"],
                [b"HSET", b"users", b"carol", b"carol:new:er"],
                *([b"SREM", b"domains", b"example.net"], [b"HDEL", b"aliases", b"y"], [b"EXEC"]),
            ],
            [*([b"OK"] * 7), [1, 1, 1, 0, 1, 1]],
        ),
    )
    store = RedisStore(link, "redis:/x")
    store.insert(DOMAINS, "example.org")
    store.insert(USERS, "alice", "alice", "hash")
    store.insert(BASE, "alice", 1000, 1001, "/home/a:b")
    assert store.set_password(USERS, "carol", "new:er")
    assert not store.set_password(USERS, "bob", "x")
    assert store.delete(DOMAINS, "example.net")
    assert not store.delete(ALIASES, "x")
    assert store.delete(ALIASES, "y")
    assert store.has(ALIASES, "x")
    assert not store.has(DOMAINS, "x")
    store.commit()
    assert link.silent
    store.commit()  # there is nothing left to do


def test_a_table_that_somebody_else_changes_meanwhile() -> None:
    link = Link(
        watched(b"HGET", b"users", b"alice", reply=b"alice:hash"),
        (
            [[b"MULTI"], [b"HSET", b"users", b"alice", b"alice:new"], [b"EXEC"]],
            [b"OK", b"QUEUED", None],
        ),
    )
    store = RedisStore(link, "redis:/x")
    assert store.set_password(USERS, "alice", "new")
    with pytest.raises(ConfigError, match="redis:/x: its tables were changed meanwhile; try again"):
        store.commit()
    assert link.silent


def test_the_first_row_of_a_new_table() -> None:
    link = Link(
        looked(b"aliases", [0, 0]),
        one(b"HEXISTS", ALIASES_NEW, b"a", reply=0),
        ([[b"HSET", ALIASES_NEW, b"a", b"b"], [b"EXPIRE", ALIASES_NEW, b"86400"]], [1, 1]),
    )
    store = RedisStore(link, "redis:/x")
    store.create_table(ALIASES)
    store.insert(ALIASES, "a", "b")
    assert link.silent


def test_a_key_is_there_once() -> None:
    store = RedisStore(Link(watched(b"HEXISTS", b"aliases", b"a", reply=1)), "redis:/x")
    with pytest.raises(ConfigError, match="a is in aliases already"):
        store.insert(ALIASES, "a", "b")


def test_all_rows_come_in_the_order_of_their_keys() -> None:
    link = Link(
        one(b"HSCAN", b"base", b"0", b"COUNT", b"1000", reply=[b"7", [b"b", b"1:2:/b:c"]]),
        one(b"HSCAN", b"base", b"7", b"COUNT", b"1000", reply=[b"0", [b"a", b"3:4:/a"]]),
    )
    store = RedisStore(link, "redis:/x")
    assert list(store.every(BASE, "key", "uid", "home")) == [("a", 3, "/a"), ("b", 1, "/b:c")]


@pytest.mark.parametrize(("entry", "value"), [(USERS, b"hash"), (BASE, b"x:1:/"), (BASE, b"1:1")])
def test_a_value_that_somebody_else_has_written(entry: CatalogueEntry, value: bytes) -> None:
    name = entry.name.encode()
    reply: RespReply = [b"0", [b"k", value]]
    link = Link(one(b"HSCAN", name, b"0", b"COUNT", b"1000", reply=reply))
    if value == b"1:1":
        assert list(RedisStore(link, "redis:/x").every(entry, "home")) == [("",)]
        return
    with pytest.raises(ConfigError, match=f"k: its value is not of the kind {entry.kind}"):
        list(RedisStore(link, "redis:/x").every(entry, "key"))


def test_what_the_server_refuses_is_told_without_its_text() -> None:
    failure = RespFailure("NOPERM user has no rights for secret")
    store = RedisStore(Link(one(b"HEXISTS", b"aliases", b"a", reply=failure)), "redis:/x")
    with pytest.raises(ConfigError) as refused:
        store.has(ALIASES, "a")
    assert str(refused.value) == "redis:/x: the server refuses: NOPERM"


def test_names_that_no_query_could_have() -> None:
    with pytest.raises(ConfigError, match="table a b: a query could not name it; rename it"):
        RedisStore(Link(), "redis:/x").create_table(ALIASES._replace(name="a b"))
