"""A server at a unix socket that says what a test has it say, however wrong."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import TypeAlias

Talk: TypeAlias = Callable[[socket.socket], None]
"""One connection of a client; it is closed behind it."""


@contextmanager
def scripted(path: Path, *talks: Talk) -> Iterator[None]:
    """Serve a connection for each talk, in the order they come; then nobody listens any more."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=_serve, args=(listening, talks))
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listening: socket.socket, talks: Sequence[Talk]) -> None:
    threads = []
    with suppress(OSError):  # the test is over
        for talk in talks:
            end, _ = listening.accept()
            threads.append(threading.Thread(target=_speak, args=(end, talk)))
            threads[-1].start()
    listening.close()
    for thread in threads:
        thread.join()


def _speak(end: socket.socket, talk: Talk) -> None:
    with end, suppress(OSError):  # the client has gone
        end.settimeout(10)
        talk(end)


def says(*answers: bytes) -> Talk:
    """Return a talk that gives one answer for each thing received, and waits for the end."""

    def talk(end: socket.socket) -> None:
        for answer in answers:
            if not end.recv(65536):
                return
            end.sendall(answer)
        while end.recv(65536):
            pass

    return talk


def then_closes(*answers: bytes) -> Talk:
    """Return a talk that closes behind the answers."""

    def talk(end: socket.socket) -> None:
        for answer in answers:
            end.recv(65536)
            end.sendall(answer)

    return talk


def trickles(answer: bytes, seconds: float, first: Sequence[bytes] = ()) -> Talk:
    """Return a talk that sends a byte each so many seconds, for as long as somebody reads."""

    def talk(end: socket.socket) -> None:
        for each in first:
            end.recv(65536)
            end.sendall(each)
        end.recv(65536)
        for byte in answer:
            end.send(bytes([byte]))
            sleep(seconds)

    return talk
