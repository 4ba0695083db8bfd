import socket
import threading
from collections.abc import Callable
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.mysql.channel import PACKET_MAX, MysqlChannel
from opensmtpd.backends.mysql.statements import (
    ANSWER_MAX,
    AskedStatement,
    KnownStatement,
    forget,
    prepare,
)
from opensmtpd.backends.mysql.wire import Wire
from opensmtpd.errors import ServerLost, ServerRefused, Unavailable
from unit.support.mysql_server import (
    END,
    OK,
    column,
    error,
    packet,
    packets,
    prepared,
    receive,
    result,
    row,
)

ONE = KnownStatement(b"\1\0\0\0", 1, 1)


def asking(*answers: bytes) -> tuple[Wire, list[bytes], Callable[[], None]]:
    """Return a wire to a server that gives these answers, what it hears, and what ends both."""
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []

    def serve() -> None:
        with theirs:
            for answer in answers:
                heard.append(receive(theirs))
                theirs.sendall(answer)
            heard.append(receive(theirs))

    thread = threading.Thread(target=serve)
    thread.start()
    channel = MysqlChannel(ours, monotonic() + 10)

    def end() -> None:
        channel.close()
        thread.join()

    return Wire(channel), heard, end


def rows(
    *answers: bytes, prepared: KnownStatement = ONE, most: int = ANSWER_MAX
) -> list[list[str | None]]:
    """Return the rows of the last of some answers to the same statement."""
    wire, _, end = asking(*answers)
    try:
        asked = AskedStatement(wire, prepared, most)
        for _ in answers:
            found = asked.rows(b"key")
        return found
    finally:
        end()


@pytest.mark.parametrize(("parameters", "columns"), [(1, 1), (0, 1), (3, 2), (1, 0), (0, 0)])
def test_prepared(parameters: int, columns: int) -> None:
    wire, heard, end = asking(prepared(parameters, columns, 77))
    assert prepare(wire, b"SELECT 1") == KnownStatement(b"\x4d\0\0\0", parameters, columns)
    end()
    assert heard == [b"\x16SELECT 1", b""]


def test_not_prepared() -> None:
    wire, _, end = asking(packet(1, error(1064, b"syntax")), prepared())
    with pytest.raises(ServerRefused, match="1064: syntax"):
        prepare(wire, b"SELEKT")
    assert prepare(wire, b"SELECT 1").columns == 1  # the connection is good
    end()


def test_forgotten() -> None:
    """The server says nothing to that."""
    wire, heard, end = asking(prepared(id=77), b"", prepared(id=78))
    forget(wire, prepare(wire, b"SELECT 1"))
    assert prepare(wire, b"SELECT 2").number == b"\x4e\0\0\0"
    end()
    assert heard == [b"\x16SELECT 1", b"\x19\x4d\0\0\0", b"\x16SELECT 2", b""]


@pytest.mark.parametrize(
    "answer",
    [
        packet(1, b"\0\1\0\0\0"),
        packet(1, b"\1" + bytes(11)),
        packets(b"\0\1\0\0\0\1\0\0\0\0\0\0", OK, OK),
    ],
)
def test_garbage_for_a_statement(answer: bytes) -> None:
    wire, _, end = asking(answer)
    with pytest.raises(ServerLost):
        prepare(wire, b"SELECT 1")
    end()


def test_what_is_sent() -> None:
    """The key goes beside the statement, as a string."""
    wire, heard, end = asking(result([]))
    AskedStatement(wire, ONE, ANSWER_MAX).rows(b"' OR 1=1 --")
    end()
    head = b"\x17" + b"\1\0\0\0" + b"\0" + b"\1\0\0\0" + b"\0" + b"\1" + b"\xfe\0"
    assert heard[0] == head + b"\x0b' OR 1=1 --"


def test_a_key_for_each_parameter() -> None:
    wire, heard, end = asking(result([]))
    AskedStatement(wire, KnownStatement(b"\1\0\0\0", 9, 1), ANSWER_MAX).rows(b"ab")
    end()
    assert heard[0][10:] == b"\0\0" + b"\1" + b"\xfe\0" * 9 + b"\2ab" * 9


def test_without_a_parameter() -> None:
    wire, heard, end = asking(result([]))
    AskedStatement(wire, KnownStatement(b"\2\0\0\0", 0, 1), ANSWER_MAX).rows()
    end()
    assert heard[0] == b"\x17\2\0\0\0\0\1\0\0\0"


def test_rows() -> None:
    assert rows(result([])) == []
    assert rows(result([(b"a",), (b"",), (None,)])) == [["a"], [""], [None]]
    three = [(b"1", None, b"/home"), (None, None, None)]
    assert rows(result(three, 3)) == [["1", None, "/home"], [None, None, None]]


def test_null_is_of_its_own_column() -> None:
    """The marks of NULL of more than six columns go over into a second byte."""
    cells = [b"%d" % at for at in range(20)]
    for at in range(20):
        mixed = [None if other == at else cell for other, cell in enumerate(cells)]
        wanted = [None if cell is None else cell.decode() for cell in mixed]
        assert rows(result([mixed], 20)) == [wanted]


def test_bytes_that_are_no_text() -> None:
    assert rows(result([(b"\xff\xe9",)])) == [["\udcff\udce9"]]


def test_columns_that_change() -> None:
    """ALTER TABLE changes what a prepared statement gives."""
    number = packets(b"\1", column(type=8), END, b"\0\0" + (7).to_bytes(8, "little"), END)
    assert rows(result([(b"text",)]), number) == [["7"]]
    assert rows(number, result([(b"text",)])) == [["text"]]
    assert rows(result([(b"text",)]), result([(b"a", b"b")], 2)) == [["a", "b"]]


def test_an_error_among_rows() -> None:
    wire, _, end = asking(
        packets(b"\1", column(), END, row(b"a"), error(1146, b"gone")), result([(b"b",)])
    )
    asked = AskedStatement(wire, ONE, ANSWER_MAX)
    with pytest.raises(ServerRefused, match="gone"):
        asked.rows(b"key")
    assert asked.rows(b"key") == [["b"]]
    end()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (packet(1, OK), ServerRefused),
        (packet(1, error(1146, b"no table")), ServerRefused),
        (packet(1, b"\xfb/etc/passwd"), ServerLost),
        (packet(1, b"\xfc\xff\xff"), ServerLost),
        (packets(b"\1", b"short"), ServerLost),
        (packets(b"\1", column(type=99), END), ServerLost),
        (packets(b"\1", column(), row(b"a")), ServerLost),
        (packets(b"\1", column(), END, b"\0\0\5abc"), ServerLost),
        (packets(b"\1", column(), END, b"\0\0"), ServerLost),
        (packets(b"\1", column(), END, row(b"a", b"b"), END), ServerLost),
        (packets(b"\2", column(), column(), END, row(b"a"), END), ServerLost),
        (packets(b"\7", *[column()] * 7, END, b"\0\xff", END), ServerLost),
        (packets(b"\1", column(), END, b"\1" + row(b"a")[1:], END), ServerLost),
        (packets(b"\1", column(), END, b"\xfe" + row(b"abcdefgh")[1:], END), ServerLost),
        (packets(b"\1", column(type=3, flags=64, width=2**32 - 1), END), ServerLost),
        (packets(b"\1", column(type=5, flags=64, width=256), END), ServerLost),
        (packets(b"\5", *[bytes(PACKET_MAX)] * 5), ServerLost),
        (packet(1, b"\1") + packet(3, column()), ServerLost),
        (packets(b"\1", column(), END, row(b"a"), b"\xfe\0\0\x0a\0"), ServerRefused),
    ],
)
def test_what_is_no_answer(answer: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        rows(answer)


def test_an_answer_that_is_too_large() -> None:
    assert len(rows(result([(b"x" * 100,)] * 10), most=2000)) == 10
    with pytest.raises(ServerRefused):
        rows(result([(b"x" * 100,)] * 20), most=2000)
    with pytest.raises(ServerRefused):  # each row costs something
        rows(result([(b"",)] * 40), most=2000)


class Preloaded(MysqlChannel):
    """A channel whose answers are here before the questions."""

    def quiet(self) -> None:
        pass


@given(st.binary(max_size=300))
def test_nothing_but_these_exceptions(garbage: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(garbage)
        theirs.shutdown(socket.SHUT_WR)
        channel = Preloaded(ours, monotonic() + 10)
        try:
            with pytest.raises(Unavailable):
                AskedStatement(Wire(channel), ONE, ANSWER_MAX).rows(b"key")
        finally:
            channel.close()


@given(st.data())
def test_an_answer_with_a_wrong_byte(data: st.DataObject) -> None:
    """It is an answer all the same, or none: no other exception."""
    answer = bytearray(result([(b"alice", None), (None, b"bob")], 2))
    at = data.draw(st.integers(0, len(answer) - 1))
    answer[at] = data.draw(st.integers(0, 255))
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        channel = Preloaded(ours, monotonic() + 10)
        try:
            AskedStatement(Wire(channel), ONE, ANSWER_MAX).rows(b"key")
        except Unavailable:
            pass
        finally:
            channel.close()
