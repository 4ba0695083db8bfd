from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.redis.connection import RedisConnection
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.errors import ServerLost, ServerRefused
from unit.support.scripted_server import Talk, says, scripted

PONG = b"+PONG\r\n"
QUERIES: list[list[object]] = [
    ["query_alias", "GET alias:%s", 3],
    ["fetch_source", "SMEMBERS sources", None],
]


def later() -> float:
    return monotonic() + 10


@contextmanager
def connected(
    tmp_path: Path, *answers: bytes, queries: list[list[object]] = QUERIES
) -> Iterator[RedisConnection]:
    talk: Talk = says(PONG, *answers)
    with scripted(tmp_path / "s", talk):
        made = RedisConnection(([list(RedisPlace(path=str(tmp_path / "s")))], queries))
        made.connect(later())
        yield made
        made.close()


def test_replies_are_plain_data(tmp_path: Path) -> None:
    replies = b"$2\r\n\xc3\xb6\r\n$1\r\n\xff\r\n$-1\r\n:2\r\n*2\r\n$1\r\na\r\n$-1\r\n"
    with connected(tmp_path, replies) as made:
        asked = [["query_alias", key] for key in "abcde"]
        assert made.ask(asked, later()) == ["ö", "\udcff", None, 2, ["a", None]]


def test_a_list_is_asked_for_without_a_key(tmp_path: Path) -> None:
    with connected(tmp_path, b"*1\r\n$1\r\na\r\n") as made:
        assert made.ask([["fetch_source"]], later()) == [["a"]]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"-WRONGTYPE Operation\r\n", "query_alias: WRONGTYPE Operation; the key holds another"),
        (b"-MOVED 3999 127.0.0.1:6381\r\n", "query_alias: MOVED 3999 .*; it is part of a cluster"),
        (b"-NOPERM no\r\n", "query_alias: NOPERM no; see ACL"),
        (b"-READONLY You can't write\r\n", "query_alias: READONLY You can't write$"),
        (b"+OK\r\n", "query_alias: GET gives a status, and no value"),
        (b"*1\r\n-ERR in it\r\n", "query_alias: ERR in it"),
    ],
)
def test_an_error_leaves_the_connection_open(tmp_path: Path, answer: bytes, error: str) -> None:
    with connected(tmp_path, answer, b"$1\r\na\r\n") as made:
        with pytest.raises(ServerRefused, match=error):
            made.ask([["query_alias", "root"]], later())
        assert made.ask([["query_alias", "root"]], later()) == ["a"]


def test_a_server_that_loads_is_away(tmp_path: Path) -> None:
    with connected(tmp_path, b"-LOADING Valkey is loading\r\n") as made:
        with pytest.raises(ServerLost, match="LOADING"):
            made.ask([["query_alias", "root"]], later())
        with pytest.raises(ServerLost, match="not connected"):
            made.ask([["query_alias", "root"]], later())


GET = b"*1\r\n*3\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n"
INCR = b"*1\r\n*3\r\n$4\r\nincr\r\n:2\r\n*1\r\n+write\r\n"
NONE = b"*1\r\n$-1\r\n"


@pytest.mark.parametrize(
    ("queries", "infos", "replies", "faults"),
    [
        ([["query_alias", "GET a:%s", 3]], GET, [b"$-1\r\n"], []),
        ([["query_alias", "INCR a:%s", 3]], INCR, [], []),  # it is not tried
        ([["query_alias", "GET a:%s", 3]], b"-NOPERM no\r\n", [], []),
        (
            [["query_alias", "GET a %s", 3], ["query_domain", "GTE %s", 4]],
            GET + NONE,
            [b"-ERR wrong number of arguments\r\n"],
            [
                ["query_alias: GET and its operands are 3 words and should be 2", 3],
                ["query_domain: the server has no command GTE", 4],
                ["query_alias: ERR wrong number of arguments", 3],
            ],
        ),
        (
            [["query_alias", "GET a:%s", 3]],
            GET,
            [b"-NOPERM No permissions to access a key\r\n"],
            [["query_alias: NOPERM No permissions to access a key", 3]],
        ),
        (
            [["query_alias", "TYPE a:%s", 3]],
            GET,
            [b"+none\r\n"],
            [["query_alias: TYPE gives a status, and no value", 3]],
        ),
    ],
)
def test_the_check_of_the_queries(
    tmp_path: Path,
    queries: list[list[object]],
    infos: bytes,
    replies: list[bytes],
    faults: list[list[object]],
) -> None:
    with connected(tmp_path, infos, *replies, queries=queries) as made:
        found = made.check(later())
        assert [fault[:2] for fault in found] == faults
        assert all(fault[2] for fault in found)


def test_no_server(tmp_path: Path) -> None:
    made = RedisConnection(([list(RedisPlace(path=str(tmp_path / "s")))], QUERIES))
    with pytest.raises(ServerLost, match="No such file"):
        made.connect(later())
