"""The socket, asked whole and byte by byte, and by those who do not read."""

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from opensmtpd import answer
from opensmtpd.errors import ConfigError
from opensmtpd.mail.metrics import server
from opensmtpd.mail.metrics.server import MetricsSocket

TEXT = b"a 1\n# EOF\n"
HEAD = (
    b"HTTP/1.0 200 OK\r\n"
    b"Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
    b"Content-Length: 10\r\n\r\n"
)
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Machine:
    """The socket, and a loop that turns when it is told to."""

    def __init__(self, path: str, text: bytes = TEXT) -> None:
        self.path = path
        self.calls = 0
        self.text = text
        self.socket = MetricsSocket(path, self.read)

    def read(self) -> bytes:
        self.calls += 1
        return self.text

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.path)
        client.settimeout(0)
        return client

    def turn(self) -> None:
        assert list(self.socket.receive()) == []

    def ask(self, *parts: bytes) -> bytes:
        """Send a request in parts; return all that is answered until the end."""
        with closing(self.connect()) as client:
            for part in parts:
                client.sendall(part)
                self.turn()
            return self.rest(client)

    def rest(self, client: socket.socket) -> bytes:
        found = b""
        for _ in range(1000):
            self.turn()
            try:
                data = client.recv(1 << 16)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                return found
            if not data:
                return found
            found += data
        raise AssertionError(f"no end behind {found!r}")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(str(tmp_path / "metrics.sock"))
    yield machine
    machine.socket.close()


def test_it_is_a_source_of_the_loop(machine: Machine) -> None:
    assert machine.socket in answer.sources()
    assert machine.socket.next_deadline() is None


def test_an_answer(machine: Machine) -> None:
    assert machine.ask(GET) == HEAD + TEXT


def test_byte_by_byte(machine: Machine) -> None:
    assert machine.ask(*(bytes([byte]) for byte in GET)) == HEAD + TEXT


@pytest.mark.parametrize(
    "asked", [b"GET /\n\n", b"GET / HTTP/1.0\r\n\r\n", b"GET x\r\nA: b\r\n\r\n"]
)
def test_other_forms_of_a_request(machine: Machine, asked: bytes) -> None:
    assert machine.ask(asked) == HEAD + TEXT


@pytest.mark.parametrize("asked", [b"POST / HTTP/1.0\r\n\r\n", b"\r\n\r\n", b"get / HTTP/1.0\n\n"])
def test_nothing_else_can_be_asked(machine: Machine, asked: bytes) -> None:
    assert machine.ask(asked).startswith(b"HTTP/1.0 405 ")
    assert machine.calls == 0


def test_a_request_that_is_too_long(machine: Machine) -> None:
    assert machine.ask(b"GET /", b"x" * server.REQUEST_MAX, b"\r\n\r\n"[:0]) == b""
    assert machine.ask(GET) == HEAD + TEXT


def test_the_text_is_made_once_a_second(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(5):
        assert machine.ask(GET) == HEAD + TEXT
    assert machine.calls == 1
    now += server.FRESH
    assert machine.ask(GET) == HEAD + TEXT
    assert machine.calls == 2


def test_readers_that_do_not_ask_are_dropped(machine: Machine) -> None:
    with closing(machine.connect()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n")
        machine.turn()  # it is taken
        machine.turn()  # and what it has sent
        due = machine.socket.next_deadline()
        assert due is not None
        machine.socket.expire(due - 0.1)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        machine.socket.expire(due)
        assert client.recv(1) == b""
    assert machine.socket.next_deadline() is None


def test_readers_that_do_not_read_are_dropped(tmp_path: Path) -> None:
    machine = Machine(str(tmp_path / "large.sock"), b"x" * 10_000_000)
    with closing(machine.connect()) as client, closing(machine.connect()) as other:
        client.sendall(GET)
        machine.turn()
        machine.turn()  # nothing waits for it
        other.sendall(GET)
        assert machine.rest(other).endswith(b"\r\n\r\n" + machine.text)
        due = machine.socket.next_deadline()
        assert due is not None
        machine.socket.expire(due)
        assert machine.socket.next_deadline() is None
    machine.socket.close()


def test_more_readers_push_out_the_oldest(machine: Machine) -> None:
    clients = [machine.connect() for _ in range(server.SCRAPERS + 1)]
    machine.turn()
    assert clients[0].recv(1) == b""
    clients[1].sendall(GET)
    assert machine.rest(clients[1]) == HEAD + TEXT
    for client in clients:
        client.close()
    machine.turn()
    machine.turn()
    assert machine.socket.next_deadline() is None


def test_a_turn_takes_a_bounded_number(machine: Machine) -> None:
    clients = [machine.connect() for _ in range(server.TURN + 10)]
    machine.turn()
    dropped = 0
    for client in clients:
        with suppress(BlockingIOError):
            dropped += client.recv(1) == b""
        client.close()
    assert dropped == server.TURN - server.SCRAPERS


def test_readers_that_vanish(machine: Machine) -> None:
    client = machine.connect()
    machine.turn()
    client.sendall(GET)
    client.close()
    machine.turn()
    machine.turn()
    assert machine.socket.next_deadline() is None
    assert machine.ask(GET) == HEAD + TEXT


def test_a_lack_of_descriptors(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Short:
        def fileno(self) -> int:
            return listener.fileno()

        def accept(self) -> None:
            raise OSError(24, "Too many open files")

    listener = machine.socket._listener
    with closing(machine.connect()) as client:
        client.sendall(GET)
        monkeypatch.setattr(socket.socket, "accept", lambda _: Short().accept())
        machine.turn()
        monkeypatch.undo()
        machine.turn()  # not asked again at once
        due = machine.socket.next_deadline()
        assert due is not None
        assert machine.calls == 0
        machine.socket.expire(due)
        assert machine.rest(client) == HEAD + TEXT


def test_only_user_and_group_may_ask(machine: Machine) -> None:
    found = os.stat(machine.path)
    assert (stat.S_ISSOCK(found.st_mode), found.st_mode & 0o777) == (True, 0o660)


def test_a_socket_that_is_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    old = socket.socket(socket.AF_UNIX)
    old.bind(str(path))
    old.close()
    machine = Machine(str(path))
    assert machine.ask(GET) == HEAD + TEXT
    machine.socket.close()


def test_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="no socket: Address already in use"):
        Machine(str(path))
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no socket: AF_UNIX path too long"):
        Machine(str(tmp_path / ("x" * 200)))
