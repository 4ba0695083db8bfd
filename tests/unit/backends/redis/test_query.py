import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.redis.query import FORBIDDEN, Query
from opensmtpd.backends.redis.resp import RespReader, pack


def words(text: str, key: bytes = b"KEY") -> list[bytes]:
    """Return the words of the command."""
    [found] = RespReader().feed(Query(text).command(key))
    assert isinstance(found, list)
    return found  # type: ignore[return-value]  # of strings


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("GET alias:%s", "GET|alias:KEY"),
        ("GET %s", "GET|KEY"),
        ("GET %s:alias", "GET|KEY:alias"),
        ("HMGET user:%s uid gid", "HMGET|user:KEY|uid|gid"),
        ("SISMEMBER domains %s", "SISMEMBER|domains|KEY"),
        ("LRANGE  aliases:%s   0 -1", "LRANGE|aliases:KEY|0|-1"),
        # the manual of the C program allows them, and it crashes
        ("HGET %s %s", "HGET|KEY|KEY"),
        ("GET %s:%s", "GET|KEY:KEY"),
        ("GET %%s", "GET|%s"),
        ("GET 100%%%s", "GET|100%KEY"),
        ("GET 100%", "GET|100%"),
        ("GET 100% %s", "GET|100%|KEY"),
        ('GET "a %s"', 'GET|"a|KEY"'),  # quotes are characters, as they are for hiredis
        ("GET a\tb", "GET|a\tb"),
        ("SMEMBERS sources", "SMEMBERS|sources"),
        ("GET größe:%s", "GET|größe:KEY"),
        ("GET \udcff%s", "GET|\udcffKEY"),
    ],
)
def test_a_command(text: str, command: str) -> None:
    expected = [each.encode("utf-8", "surrogateescape") for each in command.split("|")]
    assert words(text) == expected
    assert Query(text).size == len(expected)
    assert Query(text).keyed == ("KEY" in command)


@pytest.mark.parametrize(
    "key", [b"", b" ", b"a b", b"%s", b"%", b"\r\n", b"*1\r\n$8\r\nFLUSHALL\r\n", b'"', b"\xff\0"]
)
def test_a_key_is_literal(key: bytes) -> None:
    assert words("HGET alias:%s x%sx", key) == [b"HGET", b"alias:" + key, b"x" + key + b"x"]


@given(st.binary(max_size=30))
def test_a_command_is_packed_as_any_other(key: bytes) -> None:
    assert Query("HGET %s:%s a b%s").command(key) == pack(
        [b"HGET", key + b":" + key, b"a", b"b" + key]
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("GET %d", "'%d' is no place for the key; write %s"),
        ("GET %b", "'%b' is no place"),
        ("%s", "begins with no command"),
        ("GET%s x", "begins with no command"),
        (" ", "begins with no command"),
        ("subscribe %s", "the command SUBSCRIBE gives no answers"),
        ("Select %s", "the command SELECT gives no answers"),
        ("CLIENT REPLY OFF", "the command CLIENT gives no answers"),
    ],
)
def test_what_is_no_query(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Query(text)


def test_commands_that_make_replies_those_of_other_questions() -> None:
    assert {"subscribe", "monitor", "multi", "hello", "client", "select", "reset"} <= FORBIDDEN
