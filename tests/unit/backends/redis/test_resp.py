import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.redis.resp import (
    COUNT_MAX,
    DEPTH_MAX,
    LINE_MAX,
    SIZE_MAX,
    RespFailure,
    RespReader,
    RespReply,
    RespStatus,
    pack,
    simple,
)
from opensmtpd.errors import ServerLost

REPLIES: list[tuple[bytes, RespReply]] = [
    (b"+OK\r\n", RespStatus("OK")),
    (b"+\r\n", RespStatus("")),
    (b"-ERR unknown command\r\n", RespFailure("ERR unknown command")),
    (b":0\r\n", 0),
    (b":-7\r\n", -7),
    (b":9223372036854775807\r\n", 9223372036854775807),
    (b"$5\r\nalice\r\n", b"alice"),
    (b"$0\r\n\r\n", b""),
    (b"$4\r\n\r\n\r\n\r\n", b"\r\n\r\n"),
    (b"$3\r\n$1\r\r\n", b"$1\r"),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"*0\r\n", []),
    (b"*2\r\n$1\r\na\r\n$-1\r\n", [b"a", None]),
    (b"*2\r\n*1\r\n:1\r\n*2\r\n*0\r\n+x\r\n", [[1], [[], RespStatus("x")]]),
    (b"*1\r\n-ERR no\r\n", [RespFailure("ERR no")]),
]


@pytest.mark.parametrize(("data", "reply"), REPLIES)
def test_a_reply_whole_and_byte_by_byte(data: bytes, reply: RespReply) -> None:
    whole, slow = RespReader(), RespReader()
    assert whole.feed(data) == [reply]
    read = [slow.feed(data[at : at + 1]) for at in range(len(data))]
    assert read == [[]] * (len(data) - 1) + [[reply]]
    assert type(read[-1][0]) is type(reply)
    assert not whole.rest
    assert not slow.rest


def test_many_replies_in_one_piece() -> None:
    data, replies = (list(each) for each in zip(*REPLIES, strict=True))
    assert RespReader().feed(b"".join(data)) == replies


def test_a_code_is_the_first_word_of_an_error() -> None:
    assert RespFailure("WRONGTYPE Operation against a key").code == "WRONGTYPE"
    assert RespFailure("ERR").code == "ERR"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\r\n",
        b"$\r\n",
        b"$-2\r\n",
        b"$1 \r\n",
        b"$+1\r\n",
        b"$1_0\r\n",
        b"*-2\r\n",
        b":\r\n",
        b":1.5\r\n",
        b":12345678901234567890\r\n",
        b"%1\r\n",  # a map of version 3
        b"_\r\n",
        b"$1\r\nab\r\n",
        b"$1\r\na\n\r",
        b"*1\r\n?\r\n",
        b"+" + b"x" * LINE_MAX,
    ],
)
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(ServerLost, match="another protocol"):
        RespReader().feed(data)
    slow = RespReader()
    with pytest.raises(ServerLost, match="another protocol"):
        _ = [slow.feed(data[at : at + 1]) for at in range(len(data))]


def test_an_error_has_nothing_of_what_was_said() -> None:
    with pytest.raises(ServerLost) as raised:
        RespReader().feed(b"$2b$08$secret\r\n")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "data",
    [
        b"$%d\r\n" % (SIZE_MAX + 1),
        b"$9999999999999999999\r\n",
        b"*%d\r\n" % (COUNT_MAX + 1),
        b"*2\r\n*%d\r\n" % (COUNT_MAX - 1),
        b"*1\r\n" * (DEPTH_MAX + 1),
    ],
)
def test_too_large_a_reply_is_refused_by_its_head(data: bytes) -> None:
    with pytest.raises(ServerLost, match="more than"):
        RespReader().feed(data)


def test_an_endless_reply_ends_at_its_limit() -> None:
    reader = RespReader()
    for _ in range(SIZE_MAX // 65536):
        assert len(reader.feed(b"+xxxxx\r\n" * 8192)) == 8192
    with pytest.raises(ServerLost, match="more than 4194304 bytes"):
        reader.feed(b"+")


def test_what_is_left_over_is_known() -> None:
    for data in (b"$", b"$5\r\n", b"$5\r\nali", b"*2\r\n:1\r\n", b":1\r\n:"):
        reader = RespReader()
        reader.feed(data)
        assert reader.rest


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"$5\r\nalice\r\n", b"alice"),
        (b"$0\r\n\r\n", b""),
        (b"$-1\r\n", None),
        (b"*1\r\n$5\r\nalice\r\n", [b"alice"]),
        (b"*4\r\n$1\r\na\r\n$-1\r\n$0\r\n\r\n$2\r\n$1\r\n", [b"a", None, b"", b"$1"]),
        (b"*2\r\n$-1\r\n$-1\r\n", [None, None]),
        (b"*0\r\n", []),
        (b":0\r\n", 0),
    ],
)
def test_a_simple_reply(data: bytes, reply: RespReply) -> None:
    assert simple(data, 1) == [reply]


@pytest.mark.parametrize(
    "data",
    [
        b"$2\r\n\r\n\r\n",  # a string with a line end
        b"$5\r\nalice",
        b"$5\r\nalic\r\n",
        b"$5\r\nalice\n\n",
        b"$5\r\nalice\r\n$1\r\na\r\n",
        b"$05\r\nalice\r\n",
        b"$-1",
        b"$-1\r\n$-1\r\n",
        b"*-1\r\n",
        b"*1\r\n$5\r\nalice",
        b"*1\r\n$5\r\nalic\r\n",
        b"*1\r\n$5\r\nalice\r\n$1\r\na\r\n",
        b"*2\r\n$5\r\nalice\r\n",
        b"*2\r\n$5\r\nalice\r\n$5\r\n",
        b"*2\r\n$5\r\nalice\r\n$0\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n*0\r\n",
        b":5\r\nalice\r\n",
        b"-ERR\r\n",
        b"",
        b"$",
        b"\r\n",
    ],
)
def test_what_is_not_simple(data: bytes) -> None:
    assert simple(data, 1) is None


def test_a_command() -> None:
    packed = b"*3\r\n$5\r\nHMGET\r\n$4\r\n\r\n*1\r\n$0\r\n\r\n"
    assert pack([b"HMGET", b"\r\n*1", b""]) == packed


LEAVES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40)
NESTED = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def written(reply: RespReply) -> bytes:
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    assert isinstance(reply, list)
    return b"*%d\r\n" % len(reply) + b"".join(map(written, reply))


def depth(reply: RespReply) -> int:
    return 1 + max(map(depth, reply), default=0) if isinstance(reply, list) else 0


@given(st.lists(NESTED.filter(lambda each: depth(each) <= DEPTH_MAX), max_size=5), st.data())
def test_replies_come_out_as_they_went_in_however_cut(
    replies: list[RespReply], cuts: st.DataObject
) -> None:
    data = b"".join(map(written, replies))
    reader, read, at = RespReader(), [], 0
    while at < len(data):
        size = cuts.draw(st.integers(1, len(data) - at))
        read += reader.feed(data[at : at + size])
        at += size
    assert read == replies
    assert not reader.rest


def test_several_simple_replies() -> None:
    assert simple(b"$-1\r\n" * 259, 259) == [None] * 259
    assert simple(b":0\r\n" * 3, 3) == [0] * 3
    assert simple(b"$-1\r\n" * 2, 3) is None
    assert simple(b"$-1\r\n" * 3, 2) is None
    assert simple(b"$-1\r\n:0\r\n", 2) is None
    assert simple(b"$1\r\na\r\n", 2) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_replies_or_refused(data: bytes) -> None:
    try:
        whole = RespReader().feed(data)
    except ServerLost:
        return
    assert simple(data, 1) in (None, whole)
    assert simple(data, 2) in (None, whole)


@given(st.lists(st.binary(max_size=9) | st.none(), max_size=5))
def test_a_simple_reply_is_read_as_any_other(words: list[RespReply]) -> None:
    assert simple(written(words), 1) in (None, [words])
    for word in words:
        assert simple(written(word), 1) in (None, [word])
    data = written(words)
    assert [simple(data[:at], 1) for at in range(len(data))] == [None] * len(data)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5))
def test_a_command_is_an_array_of_its_words(words: list[bytes]) -> None:
    assert RespReader().feed(pack(words)) == [words]
