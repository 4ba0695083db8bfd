import socket
import threading
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.mysql.channel import PACKET_MAX, MysqlChannel
from opensmtpd.backends.mysql.wire import (
    Wire,
    encoded,
    is_end,
    number,
    refusal,
    string,
)
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.mysql_server import END, OK, error, packet


def wired(*data: bytes, close: bool = True) -> tuple[Wire, socket.socket]:
    """Return a wire on which a server has said so much, and its end."""
    ours, theirs = socket.socketpair()
    wire = Wire(MysqlChannel(ours, monotonic() + 10))
    wire.command(b"\x0e")
    for each in data:
        theirs.sendall(each)
    if close:
        theirs.shutdown(socket.SHUT_WR)
    return wire, theirs


def test_a_command_and_its_packets() -> None:
    wire, theirs = wired(packet(1, b"one"), packet(2, b"two"))
    assert theirs.recv(100) == b"\1\0\0\0\x0e"
    assert [wire.packet(), wire.packet()] == [b"one", b"two"]
    wire.channel.close()


def test_byte_by_byte() -> None:
    wire, _ = wired(*(bytes([byte]) for byte in packet(1, b"one") + packet(2, END)))
    assert wire.packet() == b"one"
    wire.end()
    wire.channel.close()


@pytest.mark.parametrize("more", [packet(1, b"two"), packet(2, b"two"), b"\3"])
def test_an_answer_before_the_question(more: bytes) -> None:
    """It cannot be known to which question it is."""
    wire, _ = wired(packet(1, b"one") + more, close=False)
    assert wire.packet() == b"one"
    with pytest.raises(ServerLost, match="unasked"):
        wire.command(b"\x0e")
    wire.channel.close()


@pytest.mark.parametrize("answer", [b"\1", b"\xfb/etc/passwd", END, error(1193, b"unknown")])
def test_a_statement_without_rows(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(MysqlChannel(ours, monotonic() + 10))

    def serve() -> None:
        for each in (OK, answer):
            assert theirs.recv(100) == packet(0, b"\3SET a = 1")
            theirs.sendall(packet(1, each))

    thread = threading.Thread(target=serve)
    thread.start()
    wire.done("SET a = 1")
    with pytest.raises(ServerRefused if answer[:1] == b"\xff" else ServerLost):
        wire.done("SET a = 1")
    thread.join()
    theirs.close()
    wire.channel.close()


def test_numbers_go_round() -> None:
    wire, _ = wired(b"".join(packet(at, b"x") for at in range(1, 300)))
    assert [wire.packet() for _ in range(299)] == [b"x"] * 299
    wire.channel.close()


@pytest.mark.parametrize("first", [0, 2, 255])
def test_an_answer_to_nothing_that_was_asked(first: int) -> None:
    wire, _ = wired(packet(first, b"row"))
    with pytest.raises(ServerLost, match="in the place of packet 1"):
        wire.packet()
    wire.channel.close()


@pytest.mark.parametrize("data", [b"", b"\3\0\0", b"\3\0\0\1ab", packet(1, b"")])
def test_half_a_packet(data: bytes) -> None:
    wire, _ = wired(data)
    with pytest.raises(ServerLost):
        wire.packet()
    wire.channel.close()


def test_a_packet_that_is_too_large() -> None:
    wire, _ = wired((PACKET_MAX + 1).to_bytes(3, "little") + b"\1" + b"x" * 100)
    with pytest.raises(ServerRefused, match="more than 1048576 bytes"):
        wire.packet()
    with pytest.raises(ServerLost):  # the rest of it can be no answer
        wire.command(b"\x0e")


def test_errors() -> None:
    wire, _ = wired(packet(1, error(1146, b"Table 'mail.a' doesn't exist", b"42S02")))
    with pytest.raises(ServerRefused, match=r"^error 1146: Table 'mail.a' doesn't exist$"):
        wire.packet()
    wire.channel.close()


@pytest.mark.parametrize(
    ("code", "state", "kind"),
    [
        (1064, b"42000", ServerRefused),
        (1792, b"25006", ServerRefused),
        (1969, b"70100", ServerLate),
        (3024, b"HY000", ServerLate),
        (1205, b"HY000", ServerLate),
        (1053, b"08S01", ServerLost),
        (1927, b"70100", ServerLost),
        (1317, b"70100", ServerLost),
        (4031, b"HY000", ServerLost),
        (1243, b"HY000", ServerLost),
        (1047, b"08S01", ServerLost),
    ],
)
def test_kinds_of_errors(code: int, state: bytes, kind: type[Exception]) -> None:
    assert type(refusal(error(code, b"text", state))) is kind


def test_an_error_that_nobody_asked_for() -> None:
    """MySQL says before it closes an idle connection why it does; MariaDB so when it stops."""
    wire, _ = wired(packet(0, error(1184, b"stopped", b"08S01")))
    with pytest.raises(ServerLost, match="error 1184: stopped"):
        wire.packet()
    wire.channel.close()
    assert type(refusal(error(1064, b"x"), asked=False)) is ServerLost


def test_an_error_without_a_state() -> None:
    found = refusal(b"\xff\x10\x04Too many connections")
    assert str(found) == "error 1040: Too many connections"


@pytest.mark.parametrize(("payload", "is_one"), [(END, True), (OK, False), (b"\xfe" * 9, False)])
def test_ends(payload: bytes, is_one: bool) -> None:
    assert is_end(payload) is is_one
    wire, _ = wired(packet(1, payload))
    if is_one:
        wire.end()
    else:
        with pytest.raises(ServerLost):
            wire.end()
    wire.channel.close()


@pytest.mark.parametrize(
    ("raw", "value", "end"),
    [
        (b"\x00", 0, 1),
        (b"\xfa", 250, 1),
        (b"\xfc\xfb\x00", 251, 3),
        (b"\xfd\x01\x02\x03", 0x030201, 4),
        (b"\xfe\1\0\0\0\0\0\0\1", 1 + (1 << 56), 9),
    ],
)
def test_numbers(raw: bytes, value: int, end: int) -> None:
    assert number(raw, 0) == (value, end)
    for length in range(len(raw)):
        with pytest.raises(ServerLost):
            number(raw[:length], 0)


@pytest.mark.parametrize("first", [b"\xfb", b"\xff"])
def test_no_numbers(first: bytes) -> None:
    with pytest.raises(ServerLost):
        number(first + bytes(8), 0)


@given(st.binary(max_size=70000), st.binary(max_size=5))
def test_strings_come_back(text: bytes, more: bytes) -> None:
    raw = encoded(text)
    assert string(more + raw + more, len(more)) == (text, len(more) + len(raw))
    with pytest.raises(ServerLost):
        string(raw[:-1], 0)
