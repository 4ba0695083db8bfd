import socket
from typing import Any

import pytest

from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.worker import Link, Worker
from opensmtpd.worker.frames import FrameBuffer, pack
from opensmtpd.worker.worker import FAILURE, HELLO, VALUE, described


class Half(Worker):
    def handle(self, request: Any) -> Any:
        return request / 2


def frames(end: socket.socket) -> list[Any]:
    end.setblocking(False)
    return list(FrameBuffer().feed(end.recv(1 << 16)))


def test_requests_are_answered_with_their_numbers_until_the_front_is_gone() -> None:
    front, theirs = socket.socketpair()
    link = Link(theirs)
    link.hello()
    front.sendall(b"".join(pack([number, number * 2]) for number in range(10)) + pack([10, "x"]))
    front.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        Half().serve(link)
    assert frames(front) == [
        [HELLO, 0],
        *([VALUE, number, float(number)] for number in range(10)),
        [FAILURE, 10, "TypeError", ""],
    ]


def test_requests_that_come_byte_by_byte() -> None:
    front, theirs = socket.socketpair()
    link = Link(theirs)
    data = pack([1, "a"]) + pack([2, "b"])
    for byte in data[:-1]:
        front.sendall(bytes([byte]))
    assert link.receive() == [(1, "a")]
    front.sendall(data[-1:])
    assert link.receive() == [(2, "b")]


def test_only_our_errors_cross_with_their_text() -> None:
    assert described(ValueError("secret")) == ("ValueError", "")
    assert described(ConfigError("bad", path="/f")) == ("ConfigError", "/f: bad")
    assert described(Unavailable("x" * (2 << 20))) == ("Unavailable", "x" * 10_000)
