"""The worker that has a connection, as its front sees it request by request."""

import socket
from typing import Any

import pytest

from opensmtpd.backends.network import names
from opensmtpd.backends.network import worker as worker_module
from opensmtpd.backends.network.worker import (
    ASK,
    CHECK,
    CLOSE,
    MORE,
    PART,
    USE,
    UnknownConfiguration,
    unpacked,
)
from opensmtpd.errors import LocalError, ServerLate, ServerLost, ServerRefused
from opensmtpd.needs import Needs
from opensmtpd.worker import Link
from opensmtpd.worker.frames import FrameBuffer, pack
from opensmtpd.worker.worker import FAILURE, VALUE
from unit.support.network_fakes import ObedientWorker


@pytest.fixture
def worker() -> ObedientWorker:
    worker = ObedientWorker()
    worker.handle([USE, 7, {"host": "there"}, 1.0])
    return worker


def test_it_answers_with_the_configuration_that_it_was_sent(worker: ObedientWorker) -> None:
    assert worker.handle([ASK, 7, [["alias", "bob"], ["alias", "none"]], 1.0]) == ["bob", None]
    assert worker.handle([ASK, 7, [["alias", "host"]], 1.0]) == ["there"]
    assert worker.handle([CHECK, 7, None, 1.0]) == []
    worker.handle([USE, 8, {"host": "wrong"}, 1.0])
    assert worker.handle([ASK, 8, [["alias", "host"]], 1.0]) == ["wrong"]
    assert worker.handle([CHECK, 8, None, 1.0]) == [["no such column", 2, "see the schema"]]


@pytest.mark.parametrize("kind", [ASK, CHECK, MORE])
def test_a_configuration_that_it_was_not_sent(kind: int) -> None:
    worker = ObedientWorker()
    with pytest.raises(UnknownConfiguration):
        worker.handle([kind, 7, [], 1.0])
    worker.handle([USE, 7, {"host": "there"}, 1.0])
    with pytest.raises(UnknownConfiguration):
        worker.handle([kind, 8, [], 1.0])


def test_a_connection_that_is_closed_is_opened_again(worker: ObedientWorker) -> None:
    worker.handle([ASK, 7, [["alias", "bob"]], 1.0])
    assert worker.handle([CLOSE, 7, None, 1.0]) is None
    assert worker.handle([ASK, 7, [["alias", "bob"]], 1.0]) == ["bob"]
    assert ObedientWorker().handle([CLOSE, 7, None, 1.0]) is None


@pytest.mark.parametrize(
    ("key", "fault"), [("late", ServerLate), ("lost", ServerLost), ("refuse", ServerRefused)]
)
def test_what_the_connection_raises(
    worker: ObedientWorker, key: str, fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        worker.handle([ASK, 7, [["alias", key]], 0.1])
    assert worker.handle([ASK, 7, [["alias", "bob"]], 1.0]) == ["bob"]


def test_closing_an_old_configuration_leaves_the_new_one_connected(worker: ObedientWorker) -> None:
    assert worker.handle([ASK, 7, [["alias", "bob"]], 1.0]) == ["bob"]
    worker.handle([CLOSE, 6, None, 1.0])
    assert worker._asker is not None
    assert worker._asker._open
    worker.handle([CLOSE, 7, None, 1.0])
    assert not worker._asker._open


def test_its_needs_are_those_of_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[bool] = []
    monkeypatch.setattr(names, "prepare", lambda: prepared.append(True))
    worker = ObedientWorker()
    worker.load([["/etc/ca.pem"], [], False, False, False, False, False, ["/run/x"]])
    assert worker.needs == Needs(reads=("/etc/ca.pem",), sockets=("/run/x",))
    assert prepared == []
    worker.load(list(Needs(network=True)))
    assert worker.needs == names.NEEDS
    assert prepared == [True]
    assert worker_module.ConnectionWorker.threads


class Served:
    """A worker at the other end of a socket pair, fed with frames before it is served."""

    def __init__(self, *requests: Any) -> None:
        ours, theirs = socket.socketpair()
        for number, request in enumerate(requests):
            ours.sendall(pack([number, request]))
        ours.shutdown(socket.SHUT_WR)
        with theirs, pytest.raises(EOFError):
            ObedientWorker().serve(Link(theirs))
        frames = FrameBuffer()
        self.replies: list[Any] = []
        with ours:
            while data := ours.recv(1 << 16):
                self.replies += frames.feed(data)


def test_each_request_has_one_reply() -> None:
    ask = [ASK, 7, [["alias", "bob"]], 1.0]
    refused = [ASK, 7, [["alias", "refuse"]], 1.0]
    bug = [ASK, 7, [["alias", "bug"]], 1.0]
    served = Served(ask, [USE, 7, {"host": "x"}, 1.0], ask, refused, bug, ask)
    assert served.replies == [
        [FAILURE, 0, "UnknownConfiguration", "a new worker"],
        [VALUE, 1, None],
        [VALUE, 2, ["bob"]],
        [FAILURE, 3, "ServerRefused", "no such relation"],
        [FAILURE, 4, "ValueError", ""],
        [VALUE, 5, ["bob"]],
    ]


def test_a_large_reply_comes_in_parts(worker: ObedientWorker) -> None:
    rows = [f"*.{number}.example.org" for number in range(60000)]
    with pytest.raises(worker_module.ReplyTooLarge):
        worker._reply(Recorded(), 1, worker.handle([ASK, 7, [["patterns_domain"]], 1.0]))
    length, part = worker.handle([MORE, 7, 0, 1.0])
    body = part
    while len(body) < length:
        assert len(part) == PART
        length, part = worker.handle([MORE, 7, len(body), 1.0])
        body += part
    assert unpacked(body) == [rows]
    assert worker.handle([MORE, 7, 0, 1.0]) == [0, b""]  # nobody needs it twice


def test_a_reply_that_is_larger_than_all_parts_is_a_failure(worker: ObedientWorker) -> None:
    with pytest.raises(LocalError, match="bytes for a worker, more than"):
        worker._reply(Recorded(), 1, worker.handle([ASK, 7, [["huge"]], 1.0]))


class Recorded(Link):
    """A link that sends nothing."""

    def __init__(self) -> None:
        super().__init__(socket.socket())
