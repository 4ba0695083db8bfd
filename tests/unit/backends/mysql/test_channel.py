import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from opensmtpd.backends.mysql.channel import PACKET_MAX, MysqlChannel
from opensmtpd.errors import ServerLate, ServerLost


@pytest.fixture
def pair() -> Iterator[tuple[MysqlChannel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = MysqlChannel(ours, monotonic() + 10)
    with theirs:
        yield channel, theirs
    channel.close()


def test_pieces_of_any_size(pair: tuple[MysqlChannel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.sendall(b"abcdefgh")
    assert [channel.read(size) for size in (1, 0, 3, 4)] == [b"a", b"", b"bcd", b"efgh"]


def test_byte_by_byte(pair: tuple[MysqlChannel, socket.socket]) -> None:
    channel, theirs = pair
    for byte in b"abc":
        theirs.sendall(bytes([byte]))
    assert channel.read(3) == b"abc"


def test_what_is_read_for_pymysql(pair: tuple[MysqlChannel, socket.socket]) -> None:
    channel, theirs = pair
    file = channel.makefile("rb")
    channel.settimeout(None)
    channel.sendall(b"question")
    assert theirs.recv(100) == b"question"
    theirs.sendall(b"answer and more")
    assert file.read(6) == b"answer"
    assert channel.read(9) == b" and more"


def test_the_deadline_holds_although_bytes_come(pair: tuple[MysqlChannel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.sendall(b"ab")
    assert channel.read(1) == b"a"
    channel.until = monotonic() - 1
    assert channel.read(1) == b"b"  # it is here
    theirs.sendall(b"c")
    with pytest.raises(ServerLate):
        channel.read(1)


def test_the_end_is_no_answer(pair: tuple[MysqlChannel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.sendall(b"ab")
    theirs.close()
    with pytest.raises(ServerLost):
        channel.read(3)


def test_a_packet_that_is_too_large(pair: tuple[MysqlChannel, socket.socket]) -> None:
    """In the login, too, where PyMySQL reads: it would put together packets without an end."""
    channel, theirs = pair
    theirs.sendall(b"abc")
    with pytest.raises(ServerLost, match="more than 1048576 bytes"):
        channel.read(PACKET_MAX + 1)


def test_quiet(pair: tuple[MysqlChannel, socket.socket]) -> None:
    channel, theirs = pair
    channel.quiet()
    theirs.sendall(b"ab")
    with pytest.raises(ServerLost, match="unasked"):  # on its way
        channel.quiet()
    channel.read(1)
    with pytest.raises(ServerLost, match="unasked"):  # it is here
        channel.quiet()
    channel.read(1)
    channel.quiet()
    theirs.close()
    with pytest.raises(ServerLost):
        channel.quiet()


def test_a_last_word(pair: tuple[MysqlChannel, socket.socket]) -> None:
    channel, theirs = pair
    channel.say(b"bye")
    assert theirs.recv(10) == b"bye"
    theirs.close()
    channel.say(b"bye")  # to nobody
    channel.close()
    channel.say(b"bye")
    channel.close()


def test_tls_begins_with_nothing_left(pair: tuple[MysqlChannel, socket.socket]) -> None:
    """Somebody between could have said it."""
    from opensmtpd.backends.network import tls

    channel, theirs = pair
    theirs.sendall(b"greeting, and more")
    channel.read(8)
    with pytest.raises(ServerLost, match="before TLS"):
        channel.start_tls(tls.context(""), "localhost")
