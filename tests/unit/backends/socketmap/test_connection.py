"""Questions to a socketmap server that says whatever a test has it say."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.network.connection import Reconnecting
from opensmtpd.backends.socketmap.connection import SocketmapConnection
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.scripted_server import Talk, says, scripted, then_closes, trickles

LONG = 10.0


def later() -> float:
    return monotonic() + LONG


def soon() -> float:
    return monotonic() + 0.1


@contextmanager
def asking(tmp_path: Path, *talks: Talk, form: str = "netstring") -> Iterator[Reconnecting]:
    path = tmp_path / "s"
    with scripted(path, *talks):
        asker = Reconnecting(SocketmapConnection([form, str(path)]))
        yield asker
        asker.close()


def netstring(text: bytes) -> bytes:
    return b"%d:%s," % (len(text), text)


def hears(*asked: bytes, answer: bytes) -> Talk:
    """Return a talk in which just these bytes must come, each in one piece."""

    def talk(end: socket.socket) -> None:
        for each in asked:
            came = end.recv(65536)
            end.sendall(answer if came == each else netstring(b"PERM " + came))
        while end.recv(65536):
            pass

    return talk


def test_netstrings(tmp_path: Path) -> None:
    talk = says(netstring(b"OK alice"), netstring(b"NOTFOUND "), netstring(b"OK a\nb"))
    with asking(tmp_path, talk) as asker:
        assert asker.ask([["m", "root"], ["m", "x"], ["m", "y"]], later()) == [
            "alice",
            None,
            "a\nb",
        ]


def test_the_bytes_of_questions(tmp_path: Path) -> None:
    talk = hears(b"5:m a b,", b"5:m \xff|c,", answer=netstring(b"OK yes"))
    with asking(tmp_path, talk) as asker:
        assert asker.ask([["m", "a b"], ["m", "\udcff|c"]], later()) == ["yes", "yes"]


def test_lines(tmp_path: Path) -> None:
    talk = says(b"OK alice\n", b"notfound\r\n", b"OK \n")
    with asking(tmp_path, talk, form="line") as asker:
        assert asker.ask([["m", "root"], ["m", "x"], ["m", "y"]], later()) == ["alice", None, ""]


def test_a_key_that_would_be_two_questions_is_not_asked(tmp_path: Path) -> None:
    talk = hears(b"m a\n", answer=b"OK yes\n")
    with asking(tmp_path, talk, form="line") as asker:
        assert asker.ask([["m", "x\nm root"], ["m", "a"]], later()) == [None, "yes"]


@pytest.mark.parametrize("reply", [b"TEMP busy", b"TIMEOUT ", b"PERM no", b"what?"])
def test_a_server_that_refuses_is_asked_again(tmp_path: Path, reply: bytes) -> None:
    with asking(tmp_path, says(netstring(reply), netstring(b"OK a"))) as asker:
        with pytest.raises(ServerRefused):
            asker.ask([["m", "k"]], later())
        assert asker.ask([["m", "k"]], later()) == ["a"]


def test_a_server_that_has_closed_meanwhile_is_connected_to_anew(tmp_path: Path) -> None:
    """The C program answers errors from then on, for ever."""
    talks = [then_closes(b"OK a\n"), then_closes(b"OK b\n"), then_closes(b"OK c\n")]
    with asking(tmp_path, *talks, form="line") as asker:
        for value in ("a", "b", "c"):
            assert asker.ask([["m", "k"]], later()) == [value]


def test_a_reply_that_is_cut_off_is_none(tmp_path: Path) -> None:
    """The C program takes what came."""
    with (
        asking(tmp_path, then_closes(b"OK 10"), then_closes(b"OK 10"), form="line") as asker,
        pytest.raises(ServerLost),
    ):
        asker.ask([["m", "k"]], later())


@pytest.mark.parametrize(
    ("form", "garbage"),
    [
        ("netstring", b"HTTP/1.1 400 Bad Request\r\n"),
        ("netstring", netstring(b"OK a") + netstring(b"OK b")),
        ("line", b"OK a\nOK b\n"),
    ],
)
def test_garbage_closes_the_connection(tmp_path: Path, form: str, garbage: bytes) -> None:
    good = netstring(b"OK c") if form == "netstring" else b"OK c\n"
    with asking(tmp_path, says(garbage), says(good), form=form) as asker:
        with pytest.raises(ServerLost):
            asker.ask([["m", "k"]], later())
        assert asker.ask([["m", "k"]], later()) == ["c"]


def test_what_nobody_asked_for_answers_nothing(tmp_path: Path) -> None:
    def talk(end: socket.socket) -> None:
        end.recv(65536)
        end.sendall(b"OK a\n")
        first.recv(1)
        end.sendall(b"OK of another key\n")
        first.send(b"x")
        end.recv(65536)

    first, second = socket.socketpair()
    with first, second, asking(tmp_path, talk, says(b"OK b\n"), form="line") as asker:
        assert asker.ask([["m", "k"]], later()) == ["a"]
        second.send(b"x")
        second.recv(1)  # the bytes are there
        assert asker.ask([["m", "l"]], later()) == ["b"]


def test_a_reply_that_is_too_long_ends_with_its_connection(tmp_path: Path) -> None:
    talks = [says(b"100001:OK "), says(netstring(b"OK a"))]
    with asking(tmp_path, *talks) as asker:
        with pytest.raises(ServerRefused, match="a reply of more than 100000 bytes"):
            asker.ask([["m", "k"]], later())
        assert asker.ask([["m", "k"]], later()) == ["a"]


def test_a_reply_without_end(tmp_path: Path) -> None:
    def talk(end: socket.socket) -> None:
        end.recv(65536)
        while True:
            end.sendall(b"x" * 65536)

    with (
        asking(tmp_path, talk, form="line") as asker,
        pytest.raises(ServerRefused, match="a reply of more than 100000 bytes"),
    ):
        asker.ask([["m", "k"]], later())


@pytest.mark.parametrize("form", ["netstring", "line"])
def test_a_reply_that_trickles_in_is_late(tmp_path: Path, form: str) -> None:
    reply = b"90:OK " + b"x" * 1000
    with asking(tmp_path, trickles(reply, 0.02), form=form) as asker, pytest.raises(ServerLate):
        asker.ask([["m", "k"]], soon())


def test_the_answer_that_came_late_answers_nothing(tmp_path: Path) -> None:
    def talk(end: socket.socket) -> None:
        end.recv(65536)
        end.recv(65536)  # until the table has given up
        end.sendall(b"OK of another key\n")

    with asking(tmp_path, talk, says(b"OK b\n"), form="line") as asker:
        with pytest.raises(ServerLate):
            asker.ask([["m", "k"]], soon())
        assert asker.ask([["m", "l"]], later()) == ["b"]


def test_nobody_listens(tmp_path: Path) -> None:
    connection = SocketmapConnection(["line", str(tmp_path / "s")])
    with pytest.raises(ServerLost, match="No such file or directory"):
        connection.connect(later())
    connection.close()


def test_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = ["127.0.0.1", listening.getsockname()[1]]
        connection = SocketmapConnection(["netstring", place])
        connection.connect(later())
        theirs, _ = listening.accept()
        with theirs:
            theirs.sendall(b"")
            theirs.settimeout(LONG)
            assert connection.check(later()) == []
            connection.close()
            connection.close()
            assert theirs.recv(1) == b""
