"""table-redis beside the program in C: one configuration, one Valkey, the same answers.

The expected differences are literal, for each kind of row that the program in C gets wrong.
"""

import random
from functools import partial
from pathlib import Path

import pytest

from integration.support.network_scenes import DIED, Ask, answers, differences
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.table_client import TableClient, original, ours
from lab.support import ALONE

pytestmark = ALONE
DATABASE = 5
WHERE = "master 127.0.0.1\nslave 127.0.0.1\nslave_port 6379\ndatabase 5\nmatch none\n"
"""``match`` is ours alone: the program in C passes over it, and matches nothing."""
SERVICES = ("alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr",
            "addrname")  # fmt: skip
"""Those with a query by default."""
WORDS = (
    "alice", "bob", "root", "a", "7", "007", "1e3", "example.com", "mail.example.com",
    "alice@example.com", "bob+tag@example.com", "+tag", "192.0.2.1", "[2001:db8::1]", "|", "a|b",
    "'", '"', '"a b"', "\\", "%", "%s", "%%", "%d", "%b", "*", "[a-z]", "?", "{x}", "$1", "\t", " ",
    "a b", "\r", "ä", "日本", "🐟", "\udcff\udcfe", "\udce9", "\x01\x7f", ":", "alias:", "*1",
    "$-1",
)  # fmt: skip
CELLS = (
    "alice", "bob@example.com", "alice, bob", "|/bin/false", '"quoted, one"@example.com', "back\\",
    "0", "-1", "1000", "007", "ä", "日本 🐟", "x" * 2047, "x" * 2048, "y" * 1500, " padded ",
    "\ttab", "caf\udce9", "$-1", "%s", "+OK", "-ERR",
)  # fmt: skip
FOUND, ABSENT, ERROR = b"found", b"not-found", b"error"


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def some_key(dice: random.Random) -> str:
    match dice.randrange(3):
        case 0:
            return "".join(dice.choices(WORDS, k=dice.randint(1, 4)))
        case 1:
            data = bytes(dice.choices(range(1, 256), k=dice.randint(1, 40)))
            return data.replace(b"\n", b"").decode("utf-8", "surrogateescape") or "x"
        case _:
            return (raw(dice.choice(WORDS)) * 255)[:1023].decode("utf-8", "surrogateescape")


@pytest.fixture
def server(valkey: ValkeyServer) -> ValkeyServer:
    valkey.execute("FLUSHDB", database=DATABASE)
    return valkey


def pair(
    server: ValkeyServer, path: Path, queries: str
) -> tuple[partial[TableClient], partial[TableClient]]:
    """Return how both programs are started on one configuration."""
    path.write_text(WHERE + queries)
    path.chmod(0o600)
    return (
        partial(TableClient, original(server.view, "table-redis"), path),
        partial(TableClient, ours("table-redis"), path),
    )


def test_thousands_of_keys_with_the_queries_of_the_default(
    server: ValkeyServer, tmp_path: Path
) -> None:
    dice = random.Random("default")
    keys = sorted({*WORDS, *(some_key(dice) for _ in range(250))}, key=raw)
    there = set(dice.sample(keys, len(keys) * 2 // 3))
    rows = []
    for service in SERVICES:
        for key in sorted(there, key=raw):
            cell = "1000:1000:/home/a" if service == "userinfo" else dice.choice(CELLS)
            rows.append(["SET", f"{service}:{key}", cell])
    server.load(rows, DATABASE)
    asked: list[Ask] = [
        (verb, service, raw(key))
        for service in (*SERVICES, "mailaddrmap")
        for key in keys
        for verb in (b"lookup", b"check")
    ]
    dice.shuffle(asked)
    assert len(asked) >= 4000
    unknown = {raw(key) for key in keys if key not in there}
    expected = {
        request: (ERROR, ABSENT)
        for request in asked
        if request[0] == b"lookup" and request[1] != "mailaddrmap" and request[2] in unknown
    }
    assert differences(*pair(server, tmp_path / "c", ""), asked) == expected


QUERIES = """\
query_domain SISMEMBER domains %s
query_userinfo HMGET user:%s uid gid maildir
query_credentials HMGET user:%s login passwd
query_alias LRANGE aliases:%s 0 -1
query_mailaddr SISMEMBER mailaddr %s
query_netaddr SCARD nets:%s
query_addrname HGET names %s
"""
"""Those of the manual of the program in C, and two more."""


def test_thousands_of_keys_with_sets_lists_and_hashes(server: ValkeyServer, tmp_path: Path) -> None:
    dice = random.Random("structures")
    keys = sorted({some_key(dice) for _ in range(400)}, key=raw)
    users, half, lists, members, nets = (set(dice.sample(keys, len(keys) // 3)) for _ in range(5))
    half -= users
    cells = [cell for cell in CELLS if len(cell) < 1000]
    rows = []
    for key in users:
        rows.append(["HSET", f"user:{key}", "uid", "1000", "gid", "100", "maildir", "/home/a b"])
        rows.append(["HSET", f"user:{key}", "login", dice.choice(cells), "passwd", "$2b$08$x"])
        rows.append(["HSET", "names", key, dice.choice(cells)])
    rows += [["HSET", f"user:{key}", "uid", "1000", "login", "alice"] for key in half]
    for key in lists:
        count = dice.choice((1, 2, 5))
        rows.append(["RPUSH", f"aliases:{key}", *dice.choices(cells, k=count)])
    rows += [["SADD", name, key] for key in members for name in ("domains", "mailaddr")]
    counts = {key: dice.choice((1, 2, 7)) for key in nets}
    rows += [["SADD", f"nets:{key}", *map(str, range(count))] for key, count in counts.items()]
    server.load(rows, DATABASE)

    expected: dict[Ask, tuple[bytes, bytes]] = {}
    for key in keys:
        name = raw(key)
        if key not in users:
            for service in ("userinfo", "credentials"):
                expected[b"lookup", service, name] = (ERROR, ABSENT)
                if key not in half:
                    expected[b"check", service, name] = (FOUND, ABSENT)
            expected[b"lookup", "addrname", name] = (ERROR, ABSENT)
        if key not in lists:
            expected[b"check", "alias", name] = (FOUND, ABSENT)
        for service in ("domain", "mailaddr"):
            right = b"found|1" if key in members else ABSENT
            expected[b"lookup", service, name] = (ERROR, right)
        right = b"found|%d" % counts[key] if key in nets else ABSENT
        expected[b"lookup", "netaddr", name] = (ERROR, right)
        if counts.get(key, 0) > 1:
            expected[b"check", "netaddr", name] = (ERROR, FOUND)
    services = ("alias", "domain", "credentials", "netaddr", "userinfo", "mailaddr", "addrname")
    asked: list[Ask] = [
        (verb, service, raw(key))
        for service in services
        for key in keys
        for verb in (b"lookup", b"check")
    ]
    dice.shuffle(asked)
    assert len(asked) >= 4000
    assert differences(*pair(server, tmp_path / "c", QUERIES), asked) == expected


ODD = """\
query_alias LRANGE l:%s 0 -1
query_credentials GET s:%s
query_userinfo GET u:%s
query_domain TYPE %s
query_source MGET s:%s s:none
query_addrname GET s:%s
query_mailaddr PTTL s:%s
fetch_source SMEMBERS sources
"""


def test_faults_that_are_mended(server: ValkeyServer, tmp_path: Path) -> None:
    server.load(
        [
            ["SET", "s:empty", ""],
            ["SET", "s:nul", "a\0b"],
            ["SET", "s:cr", "a\rb"],
            ["SET", "s:long", "x" * 3000],
            ["SET", "u:odd", "alice:1:/home"],
            ["RPUSH", "l:gap", "alice", "", "bob"],
            ["RPUSH", "l:empty", ""],
            ["RPUSH", "s:list", "x"],
            ["SADD", "sources", "192.0.2.2", "192.0.2.1"],
        ],
        DATABASE,
    )
    asked: list[Ask] = [
        (b"lookup", "addrname", b"empty"),
        (b"check", "addrname", b"empty"),
        (b"lookup", "addrname", b"nul"),
        (b"lookup", "addrname", b"cr"),
        (b"lookup", "addrname", b"long"),
        (b"lookup", "addrname", b"list"),  # WRONGTYPE
        (b"lookup", "userinfo", b"odd"),
        (b"lookup", "alias", b"gap"),
        (b"lookup", "alias", b"empty"),
        (b"lookup", "domain", b"s:cr"),  # a status
        (b"check", "domain", b"s:cr"),
        (b"lookup", "source", b"cr"),
        (b"check", "mailaddr", b"cr"),  # -1: it never expires
        (b"fetch", "source", None),
        (b"fetch", "source", None),
        (b"update", None, None),
    ]
    theirs, mine = pair(server, tmp_path / "c", ODD)
    illegal = {
        request: answer.rpartition(b"|")[2]
        for request, answer in zip(asked, answers(theirs, asked), strict=True)
        if answer.startswith(b"illegal")
    }
    assert illegal == {(b"lookup", "addrname", b"empty"): b"", (b"lookup", "alias", b"empty"): b""}
    found = differences(theirs, mine, asked)
    assert {request: our for request, (_, our) in found.items() if request in illegal} == {
        (b"lookup", "addrname", b"empty"): ABSENT,
        (b"lookup", "alias", b"empty"): ABSENT,
    }
    assert {request: pair for request, pair in found.items() if request not in illegal} == {
        (b"lookup", "addrname", b"nul"): (b"found|a", ERROR),
        (b"lookup", "addrname", b"cr"): (b"found|a\rb", ERROR),
        (b"lookup", "userinfo", b"odd"): (b"found|alice:1:/home", ERROR),
        (b"lookup", "alias", b"gap"): (b"found|alice, , bob", b"found|alice, bob"),
        (b"check", "mailaddr", b"cr"): (ERROR, ABSENT),
        (b"fetch", "source", None): (ERROR, b"found|192.0.2.2"),
        (b"update", None, None): (b"ok", ERROR),  # TYPE gives no value: the old one is kept
    }


def test_a_line_feed_in_a_value(server: ValkeyServer, tmp_path: Path) -> None:
    """The program in C sends it as it is: smtpd ends at the second line."""
    server.load([["SET", "addrname:k", "mx.example.org\nx"]], DATABASE)
    asked: list[Ask] = [(b"lookup", "addrname", b"k"), (b"lookup", "addrname", b"k")]
    theirs, mine = pair(server, tmp_path / "c", "")
    assert answers(theirs, asked) == [b"found|mx.example.org", b"illegal: x"]
    assert answers(mine, asked) == [ERROR, ERROR]


def test_two_places_for_the_key(server: ValkeyServer, tmp_path: Path) -> None:
    """The manual of the program in C has them, and it dies of them."""
    server.load([["HSET", "user:alice", "alice", "bob"]], DATABASE)
    theirs, mine = pair(server, tmp_path / "c", "query_alias HGET user:%s %s\n")
    asked: list[Ask] = [(b"lookup", "alias", b"alice")]
    assert differences(theirs, mine, asked) == {asked[0]: (DIED, b"found|bob")}


def test_services_that_the_program_in_c_does_not_know(server: ValkeyServer, tmp_path: Path) -> None:
    queries = "query_relayhost GET r:%s\nquery_string SISMEMBER s %s\nfetch_relayhost SMEMBERS f\n"
    server.load([["SET", "r:a", "mx"], ["SADD", "s", "a"], ["SADD", "f", "smtp://mx"]], DATABASE)
    theirs, mine = pair(server, tmp_path / "c", queries)
    asked: list[Ask] = [
        (b"lookup", "relayhost", b"a"),
        (b"check", "string", b"a"),
        (b"check", "string", b"b"),
        (b"check", "regex", b"b"),
        (b"fetch", "relayhost", None),
    ]
    assert answers(theirs, asked) == [DIED] * 5
    assert answers(mine, asked) == [b"found|mx", FOUND, ABSENT, ERROR, b"found|smtp://mx"]
