"""The steps over a connection; ``integration/state`` takes them on a real server."""

import hashlib
import hmac
import socket
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import pack
from opensmtpd.backends.state.steps import COUNT, FORGET, GET, PUT
from opensmtpd.backends.state.valkey.address import SharedPlace
from opensmtpd.backends.state.valkey.store import ValkeyStore
from opensmtpd.errors import ServerLate, ServerLost
from unit.support.scripted_server import Talk, scripted

PONG = b"+PONG\r\n"


def later() -> float:
    return monotonic() + 10


def heard(words: list[list[bytes]], *answers: bytes) -> Talk:
    """Answer one command after another, and note what was said."""

    def talk(end: socket.socket) -> None:
        for answer in answers:
            data = end.recv(65536)
            words.append([each for each in data.split(b"\r\n") if each[:1] not in (b"*", b"$")])
            end.sendall(answer)
        while end.recv(65536):
            pass

    return talk


def take(folder: Path, answers: list[bytes], step: list[Any], **more: Any) -> Any:
    """Return the reply to a step, and the words of the last command."""
    words: list[list[bytes]] = []
    with scripted(folder / "s", heard(words, PONG, *answers)):
        store = ValkeyStore(address(folder, **more))
        try:
            return store.take(later(), *step), words[-1][:-1]
        finally:
            store.close()


def address(folder: Path, hashed: bool = False, secret: bytes = b"") -> SharedPlace:
    return SharedPlace(RedisPlace(path=str(folder / "s")), b"mx:", hashed, secret)


def seal(secret: bytes, name: bytes, value: bytes) -> bytes:
    return hmac.new(secret, b"%d:" % len(name) + name + value, hashlib.sha256).digest()


def bulk(value: bytes, left: int = 5) -> bytes:
    return b"*2\r\n$%d\r\n%b\r\n:%d\r\n" % (len(value), value, left)


def test_a_step_is_a_script_by_its_name(tmp_path: Path) -> None:
    reply, words = take(tmp_path, [b":7\r\n"], [COUNT, b"=a", 2, 1_000_000])
    assert reply == 7
    assert words[0] == b"EVALSHA"
    assert words[2:] == [b"1", b"mx:c=a", b"2", b"1000000"]


def test_a_server_that_does_not_know_the_script_is_sent_it(tmp_path: Path) -> None:
    unknown = b"-NOSCRIPT No matching script.\r\n"
    reply, words = take(tmp_path, [unknown, b":7\r\n"], [COUNT, b"=a", 2, 1_000_000])
    assert reply == 7
    assert words[0] == b"EVAL"


def test_a_key_is_forgotten_in_all_its_forms(tmp_path: Path) -> None:
    reply, words = take(tmp_path, [b":2\r\n"], [FORGET, b"=a"])
    assert reply is True
    assert words == [b"DEL", b"mx:c=a", b"mx:g=a", b"mx:r=a", b"mx:v=a", b"mx:w=a"]


def test_keys_are_hashed_on_request(tmp_path: Path) -> None:
    _, words = take(tmp_path, [b":1\r\n"], [COUNT, b"=a", 2, 1], hashed=True, secret=b"s")
    assert words[3] == b"mx:c" + hmac.new(b"s", b"=a", hashlib.sha256).hexdigest().encode()


def test_bytes_are_sealed(tmp_path: Path) -> None:
    _, words = take(tmp_path, [b":1\r\n"], [PUT, b"=a", b"val", 9], secret=b"s")
    sealed = seal(b"s", b"mx:v=a", b"val") + b"val"
    assert pack([sealed, b"9"]).endswith(b"$1\r\n9\r\n")
    assert b"\r\n".join(words).endswith(sealed + b"\r\n9")


def test_bytes_come_back_without_their_seal(tmp_path: Path) -> None:
    sealed = seal(b"s", b"mx:v=a", b"val") + b"val"
    assert take(tmp_path, [bulk(sealed)], [GET, b"=a"], secret=b"s")[0] == [b"val", 5]


def test_bytes_that_are_not_there(tmp_path: Path) -> None:
    assert take(tmp_path, [b"$-1\r\n"], [GET, b"=a"])[0] is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"val",
        seal(b"other", b"mx:v=a", b"val") + b"val",
        seal(b"s", b"mx:v=b", b"val") + b"val",  # of another key
        seal(b"s", b"mx:v=a", b"val") + b"vax",
        seal(b"s", b"mx:v=a", b"val")[:-1],
    ],
)
def test_bytes_that_others_have_put_are_none(tmp_path: Path, value: bytes) -> None:
    words: list[list[bytes]] = []
    with scripted(tmp_path / "s", heard(words, PONG, bulk(value))):
        store = ValkeyStore(address(tmp_path, secret=b"s"))
        assert store.take(later(), GET, b"=a") is None
        assert store.refused == 1
        store.close()


def test_an_error_of_the_server_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(ServerLost, match=r"it refuses a step: READONLY$"):
        take(tmp_path, [b"-READONLY can't write mx:c=a\r\n"], [COUNT, b"=a", 2, 1])


def test_a_server_that_says_nothing_is_late(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", heard([], PONG)):
        store = ValkeyStore(address(tmp_path))
        with pytest.raises(ServerLate):
            store.take(monotonic() + 0.2, COUNT, b"=a", 2, 1)
        store.close()


def test_nobody_there_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(ServerLost):
        ValkeyStore(address(tmp_path)).take(later(), COUNT, b"=a", 2, 1)
