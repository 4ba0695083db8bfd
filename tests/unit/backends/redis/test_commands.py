import pytest

from opensmtpd.backends.redis.commands import misuse, only_reads
from opensmtpd.backends.redis.query import Query
from opensmtpd.backends.redis.resp import RespFailure, RespReply, RespStatus


def info(arity: int, *flags: str) -> RespReply:
    """Return the beginning of a reply to COMMAND INFO."""
    return [[b"name", arity, [RespStatus(flag) for flag in flags], 1, 1, 1]]


GET, HMGET, BLPOP = info(2, "readonly", "fast"), info(-3, "readonly"), info(-3, "write", "blocking")


@pytest.mark.parametrize(
    ("query", "reply", "fault"),
    [
        ("GET %s", GET, None),
        ("GET a %s", GET, "GET and its operands are 3 words and should be 2"),
        ("HMGET %s a", HMGET, None),
        ("HMGET %s a b c", HMGET, None),
        ("HMGET %s", HMGET, "HMGET and its operands are 2 words and should be at least 3"),
        ("GTE %s", [None], "the server has no command GTE"),
        ("GTE %s", [], "the server has no command GTE"),
        ("BLPOP %s 0", BLPOP, "BLPOP waits for others"),
        # servers that do not tell
        ("GET %s", RespFailure("NOPERM no permissions"), None),
        ("GET %s", None, None),
        ("GET %s", [[b"get"]], None),
        ("GET %s", [[b"get", b"2", b"x"]], None),
    ],
)
def test_misuse(query: str, reply: RespReply, fault: str | None) -> None:
    assert misuse(Query(query), reply) == fault


def test_commands_that_only_read() -> None:
    assert only_reads(GET)
    assert not only_reads(BLPOP)
    assert not only_reads(info(-3, "readonly", "blocking"))
    assert not only_reads(info(2, "write"))
    assert not only_reads([None])
    assert not only_reads(RespFailure("ERR"))
