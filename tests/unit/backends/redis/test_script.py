import socket
from pathlib import Path
from time import monotonic

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import RespFailure, RespReply
from opensmtpd.backends.redis.script import RedisScript
from unit.support.scripted_server import scripted

SHA = b"098e0f0d1448c0a81dafe820f66d460eb09263da"
"""sha1sum(1) of ``return ARGV[1]``."""


def run(tmp_path: Path, *answers: bytes) -> tuple[RespReply, list[list[bytes]]]:
    """Return the reply to a script, and the words that were sent."""
    received: list[list[bytes]] = []

    def talk(end: socket.socket) -> None:
        for answer in (b"+PONG\r\n", *answers):
            received.append(end.recv(65536).split(b"\r\n")[2::2])
            end.sendall(answer)
        end.recv(1)

    with scripted(tmp_path / "s", talk):
        link = RedisLink(RedisPlace(path=str(tmp_path / "s")))
        until = monotonic() + 10
        link.open(until)
        reply = RedisScript("return ARGV[1]").run(link, [b"key"], [b"one", b"2"], until)
        link.close()
    return reply, received[1:]


def test_a_script_that_the_server_has(tmp_path: Path) -> None:
    sent = [[b"EVALSHA", SHA, b"1", b"key", b"one", b"2"]]
    assert run(tmp_path, b"$3\r\none\r\n") == (b"one", sent)


def test_a_script_that_it_has_no_more(tmp_path: Path) -> None:
    reply, sent = run(tmp_path, b"-NOSCRIPT No matching script\r\n", b"$3\r\none\r\n")
    assert reply == b"one"
    assert sent[1] == [b"EVAL", b"return ARGV[1]", b"1", b"key", b"one", b"2"]


def test_a_script_that_fails(tmp_path: Path) -> None:
    assert run(tmp_path, b"-ERR oh\r\n")[0] == RespFailure("ERR oh")
