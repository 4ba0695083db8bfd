import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from opensmtpd.backends.network import stream
from opensmtpd.errors import ServerLate, ServerLost
from unit.support.scripted_server import says, scripted, then_closes, trickles

LONG = 10.0
"""Seconds that no test waits for."""


def soon() -> float:
    return monotonic() + 0.05


def later() -> float:
    return monotonic() + LONG


@pytest.fixture
def pair() -> Iterator[tuple[stream.Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    end = stream.Stream(ours)
    with theirs:
        yield end, theirs
    end.close()


def test_bytes_go_out_and_come_in(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", says(b"one", b"two")):
        end = stream.connect(str(tmp_path / "s"), later())
        end.quiet()
        end.send(b"a", later())
        assert end.receive(later()) == b"one"
        end.send(b"b", later())
        assert end.receive(later()) == b"two"
        end.close()


def test_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        end = stream.connect(("127.0.0.1", listening.getsockname()[1]), later())
        theirs, _ = listening.accept()
        with theirs:
            end.send(b"question", later())
            assert theirs.recv(100) == b"question"
            theirs.sendall(b"answer")
            assert end.receive(later()) == b"answer"
        end.close()


def test_more_than_the_system_takes_at_once(pair: tuple[stream.Stream, socket.socket]) -> None:
    end, theirs = pair
    theirs.setblocking(False)
    with pytest.raises(ServerLate):
        end.send(b"x" * 10_000_000, soon())  # nobody reads
    assert theirs.recv(10) == b"x" * 10


def test_a_large_question_arrives_whole(tmp_path: Path) -> None:
    received = bytearray()

    def talk(end: socket.socket) -> None:
        while len(received) < 3_000_000:
            received.extend(end.recv(65536))
        end.sendall(b"done")

    data = bytes(range(250)) * 12_000
    with scripted(tmp_path / "s", talk):
        end = stream.connect(str(tmp_path / "s"), later())
        end.send(data, later())
        assert end.receive(later()) == b"done"
        end.close()
    assert received == data


def test_nothing_comes_in_time(pair: tuple[stream.Stream, socket.socket]) -> None:
    with pytest.raises(ServerLate, match="does not answer in time"):
        pair[0].receive(soon())


def test_no_time_is_left_even_where_bytes_are_there(
    pair: tuple[stream.Stream, socket.socket],
) -> None:
    end, theirs = pair
    theirs.sendall(b"x")
    with pytest.raises(ServerLate):
        end.receive(monotonic() - 1)


def test_the_time_is_absolute(tmp_path: Path) -> None:
    """A byte each 10 ms keeps no question alive."""
    with scripted(tmp_path / "s", trickles(b"x" * 1000, 0.01)):
        end = stream.connect(str(tmp_path / "s"), later())
        end.send(b"?", later())
        until = monotonic() + 1.0
        read: list[bytes] = []
        with pytest.raises(ServerLate):
            read.extend(end.receive(until) for _ in range(1000))
        end.close()
    assert 0 < len(read) < 1000


def test_closed_by_the_server(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", then_closes(b"one")):
        end = stream.connect(str(tmp_path / "s"), later())
        end.send(b"?", later())
        assert end.receive(later()) == b"one"
        with pytest.raises(ServerLost, match="closed the connection"):
            end.receive(later())
        with pytest.raises(ServerLost, match="closed the connection"):
            end.quiet()
        with pytest.raises(ServerLost, match="Broken pipe"):
            end.send(b"?", later())
        end.close()
        end.close()


def test_bytes_that_nobody_asked_for(pair: tuple[stream.Stream, socket.socket]) -> None:
    end, theirs = pair
    end.quiet()
    theirs.sendall(b"x")
    with pytest.raises(ServerLost, match="unasked"):
        end.quiet()


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(ServerLost, match="No such file"):
        stream.connect(str(tmp_path / "none"), later())
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(ServerLost, match="Connection refused"):
            stream.connect(str(tmp_path / "s"), later())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ServerLost, match="Connection refused"):
            stream.connect(("127.0.0.1", free.getsockname()[1]), later())
    with pytest.raises(ServerLost, match="too long"):
        stream.connect("/" + "x" * 200, later())


def test_a_unix_socket_whose_queue_is_full(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen(0)
        first = stream.connect(str(tmp_path / "s"), later())
        with pytest.raises(ServerLate):
            stream.connect(str(tmp_path / "s"), soon())
        first.close()


def test_a_host_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to a queue that is full are not answered by Linux."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        sleep(0.05)
        with pytest.raises(ServerLate):
            stream.connect(listening.getsockname(), soon())
        for each in waiting:
            each.close()


def test_all_addresses_of_a_host_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        addresses = [
            (socket.AF_INET, free.getsockname()),
            (socket.AF_INET, listening.getsockname()),
        ]
        monkeypatch.setattr(stream, "resolve", lambda *_: addresses)
        stream.connect(("both.example", 1), later()).close()
        monkeypatch.setattr(stream, "resolve", lambda *_: addresses[:1] * 3)
        with pytest.raises(ServerLost, match="Connection refused"):
            stream.connect(("none.example", 1), later())
