"""A Dovecot that says what a test has it say."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Protocol, TypeVar

from unit.support.scripted_server import Talk, scripted

GREETING = (
    b"VERSION\t1\t3\nMECH\tLOGIN\tplaintext\nMECH\tPLAIN\tplaintext\nSPID\t7\nCUID\t1\nCOOKIE\tab\n"
    b"DONE\n"
)
USERS_GREETING = b"VERSION\t1\t3\nSPID\t7\n"


class Closable(Protocol):
    """A client of Dovecot."""

    def close(self) -> None:
        """Close its connection."""


Client = TypeVar("Client", bound=Closable)


def later() -> float:
    """Return a time that no test comes near."""
    return monotonic() + 10


@contextmanager
def connected(folder: Path, talk: Talk, connect: Callable[[str], Client]) -> Iterator[Client]:
    """Have a client connect to a socket at which such a talk is held; close it."""
    path = folder / "s"
    path.unlink(missing_ok=True)
    with scripted(path, talk):
        client = connect(str(path))
        yield client
        client.close()


def greets(greeting: bytes, *replies: bytes, size: int = 65536) -> Talk:
    """Return a talk that greets, then gives a reply for each line that comes, in pieces.

    It waits for the end.
    """

    def send(end: socket.socket, data: bytes) -> None:
        for at in range(0, len(data), size):
            end.sendall(data[at : at + size])

    def talk(end: socket.socket) -> None:
        lines = end.makefile("rb")
        send(end, greeting)
        assert lines.readline() == b"VERSION\t1\t2\n"
        if greeting.endswith(b"DONE\n"):
            assert lines.readline().startswith(b"CPID\t")
        for reply in replies:
            if not lines.readline():
                return
            send(end, reply)
        while lines.readline():
            pass

    return talk


def records(seen: list[bytes], greeting: bytes, *replies: bytes) -> Talk:
    """Return a talk like ``greets`` that keeps the lines it is asked."""

    def talk(end: socket.socket) -> None:
        lines = end.makefile("rb")
        end.sendall(greeting)
        lines.readline()
        if greeting.endswith(b"DONE\n"):
            lines.readline()
        for reply in replies:
            seen.append(lines.readline())
            end.sendall(reply)
        while lines.readline():
            pass

    return talk
