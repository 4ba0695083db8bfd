"""A whole program with a server: what it reaches once it has given up all else."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from unit.support.confined import missing
from unit.support.lookups import answer, lookup, update
from unit.support.prying import CONFINED, status
from unit.support.table_child import TableChild

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"no sandbox here: {missing()}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="reads the status of processes that hide it"),
]

SOURCE = """
import sys
from functools import partial
from opensmtpd.backends.configuration import take
from opensmtpd.backends.network import stream
from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.needs import Needs

class LineConnection:
    def __init__(self, place):
        self.place, self.stream = place, None
    def connect(self, until):
        unix = self.place[0] == "/"
        host, _, port = self.place.partition(" ")
        self.stream = stream.connect(self.place if unix else (host, int(port)), until)
    def ask(self, questions, until):
        replies = []
        for _, key in questions:
            self.stream.send(key.encode() + b"\\n", until)
            line = b""
            while not line.endswith(b"\\n"):
                line += self.stream.receive(until)
            replies.append(line.decode().strip())
        return replies
    def check(self, until):
        return []
    def close(self):
        if self.stream is not None:
            self.stream.close()

class LineBackend(Backend):
    connection = "__main__:LineConnection"
    services = frozenset([Service.ALIAS])
    name = "lines"
    def __init__(self, path):
        self.path, self.settings = path, Settings()
        take(path, self.settings.set, self.set)
        unix = self.place[0] == "/"
        self.needs = Needs(sockets=(self.place,)) if unix else Needs(network=True)
    def set(self, key, value, line):
        self.place = value
        return key == "place"
    def plain(self):
        return self.place
    def question(self, service, key):
        return [service.value, key]
    def value(self, service, reply):
        return reply
"""
MAIN = """
if __name__ == "__main__":  # a worker imports this, too
    run.table(partial(NetworkTable, LineBackend), table_parser("table-lines", "A table."))
"""


class LineServer:
    """Answers each line with itself in capitals, and can hang up."""

    def __init__(self, listener: socket.socket) -> None:
        self.accepted: list[socket.socket] = []
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(end)
            threading.Thread(target=self._serve, args=(end,), daemon=True).start()

    @staticmethod
    def _serve(end: socket.socket) -> None:
        try:
            while data := end.recv(4096):
                end.sendall(data.upper())
        except OSError:
            return

    def hang_up(self) -> None:
        for end in self.accepted:
            end.shutdown(socket.SHUT_RDWR)
        self.accepted.clear()


@contextmanager
def at_a_path(folder: Path) -> Iterator[tuple[str, LineServer]]:
    path = folder / "server"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield str(path), LineServer(listener)


@contextmanager
def at_a_name(_: Path) -> Iterator[tuple[str, LineServer]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"localhost {listener.getsockname()[1]}", LineServer(listener)


WORKER = """
from opensmtpd.backends.network.worker import ConnectionWorker

class LineWorker(ConnectionWorker):
    connection = LineConnection

LineBackend.worker = f"{__file__}:LineWorker"
"""


@pytest.mark.parametrize("more", ["", WORKER], ids=["front", "worker"])
@pytest.mark.parametrize("at", [at_a_path, at_a_name])
def test_the_server_and_its_successor_are_reached(
    tmp_path: Path, at: Callable[[Path], AbstractContextManager[tuple[str, LineServer]]], more: str
) -> None:
    path = tmp_path / "lines.conf"
    with at(tmp_path) as (place, server):
        path.write_text(f"place {place}\n")
        with TableChild(tmp_path, SOURCE + more, str(path), main=MAIN) as child:
            child.hello()
            assert status(child.process.pid) == CONFINED
            child.send(lookup(b"bob"))
            assert child.lines() == [answer(b"found|BOB")]
            for _ in range(3):
                server.hang_up()
                child.send(lookup(b"carol"))
                assert child.lines() == [answer(b"found|CAROL")]
            child.send(update())
            assert child.lines() == [answer(b"ok", b"update")]
            child.send(lookup(b"dave"))
            assert child.lines() == [answer(b"found|DAVE")]
            code, _, log = child.end()
    assert (code, log) == (0, "")
