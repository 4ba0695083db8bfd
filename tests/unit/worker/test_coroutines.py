"""A worker whose answers are coroutines: in a process of its own, and with a socket of a test's."""

import asyncio
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from opensmtpd.errors import WorkerError
from opensmtpd.worker import Link, Pool
from opensmtpd.worker.coroutines import DESCRIPTORS, THREADS, CoroutineWorker
from opensmtpd.worker.frames import FrameBuffer, pack
from opensmtpd.worker.worker import FAILURE, VALUE
from unit.support.coroutines import WAITING, Waiting
from unit.support.workers import processes, pump, whole


def _keep(ends: list[tuple[int, Any]], number: int, value: Any, _error: object) -> None:
    ends.append((number, value))


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(WAITING, deadline=60, window=300)
    pump(made, lambda: whole(made))
    yield made
    made.close()


def test_one_request_does_not_wait_for_another(pool: Pool) -> None:
    ends: list[tuple[int, Any]] = []
    for number in range(3):
        pool.ask("wait").on_end(partial(_keep, ends, number))
    assert pool.request("count") == 3
    assert ends == []
    for number in (1, 2, 0):
        assert pool.request(["settle", number, f"value {number}"]) == [
            "settle",
            number,
            f"value {number}",
        ]
    pump(pool, lambda: len(ends) == 3)
    assert ends == [(1, "value 1"), (2, "value 2"), (0, "value 0")]


def test_names_are_resolved_by_few_threads(pool: Pool) -> None:
    """Each reserves much of a worker's memory, however many processors there are."""
    assert len(set(pool.request(["threads", 40]))) <= THREADS == 2


def test_descriptors_for_many_connections() -> None:
    """What started smtpd may have left few, as systemd does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    few = 256 + len(os.listdir("/dev/fd"))  # other tests may have left some
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        made = Pool(WAITING, deadline=60, window=300)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with closing(made):
        assert made.request("descriptors") == [max(few, most), hard]


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_system_that_gives_no_more_descriptors(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker does with those that it has."""
    asked: list[Any] = []

    def refuse(*limits: Any) -> None:
        asked.append(limits)
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    CoroutineWorker().begin()
    assert asked == [(resource.RLIMIT_NOFILE, (65536, resource.RLIM_INFINITY))]


def test_as_many_as_the_window(pool: Pool) -> None:
    ends: list[Any] = []
    for _ in range(299):
        pool.ask("wait").on_end(lambda value, _: ends.append(value))
    assert pool.request("count") == 299
    for number in range(299):
        pool.request(["settle", number, number])
    pump(pool, lambda: len(ends) == 299)
    assert ends == list(range(299))


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        ("raise", "ValueError", "ValueError"),
        ("refuse", "ConfigError", "not this one"),
        ("object", "LocalError", "not plain data"),
        ("too large", "LocalError", "2097160 bytes for a worker"),
    ],
)
def test_exceptions(pool: Pool, request_: str, kind: str, words: str) -> None:
    """The worker goes on; only our own errors cross with their text."""
    pid = pool.request("pid")
    with pytest.raises(WorkerError, match=words) as raised:
        pool.request(request_)
    assert raised.value.kind == kind
    assert "secret" not in str(raised.value)
    assert pool.request("pid") == pid


def test_large_answers(pool: Pool) -> None:
    for _ in range(3):
        assert pool.request("large") == b"x" * 900_000
    assert pool.request(b"y" * 900_000) == b"y" * 900_000


def test_a_worker_that_is_killed_while_requests_wait(pool: Pool) -> None:
    """Its successor is asked again."""
    ends: list[Any] = []
    pool.ask("wait").on_end(lambda value, _: ends.append(value))
    pid = pool.request("pid")
    assert pool.request("count") == 1
    os.kill(processes(pool)[2], signal.SIGKILL)
    pump(pool, lambda: whole(pool) and processes(pool)[2] != pid)
    assert pool.request("count") == 1
    pool.request(["settle", 0, "again"])
    pump(pool, lambda: ends == ["again"])


class Served:
    """A worker in a thread, and the front's end of its link."""

    def __init__(self) -> None:
        self.front, theirs = socket.socketpair()
        self.front.settimeout(60)
        self.ends: list[str] = []
        self._thread = threading.Thread(target=self._serve, args=(theirs,))
        self._thread.start()
        self._frames = FrameBuffer()

    def _serve(self, theirs: socket.socket) -> None:
        worker = Waiting()
        worker.load(None)
        with theirs:
            try:
                worker.serve(Link(theirs))
            except BaseException as error:
                self.ends.append(type(error).__name__)

    def replies(self, count: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < count:
            found += self._frames.feed(self.front.recv(65536))
        return found

    def end(self) -> None:
        self._thread.join()
        self.front.close()


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.front.close()
    made.end()


def test_requests_that_come_in_any_pieces(served: Served) -> None:
    frames = b"".join(pack([number, f"request {number}"]) for number in range(5))
    for at in range(0, len(frames), 7):
        served.front.sendall(frames[at : at + 7])
    assert served.replies(5) == [[VALUE, number, f"request {number}"] for number in range(5)]
    served.front.sendall(pack([5, "raise"]))
    assert served.replies(1) == [[FAILURE, 5, "ValueError", ""]]


def test_it_ends_when_the_front_is_gone(served: Served) -> None:
    served.front.sendall(pack([1, "wait"]) + pack([2, "count"]))
    assert served.replies(1) == [[VALUE, 2, 1]]
    served.front.shutdown(socket.SHUT_WR)
    served.end()
    assert served.ends == ["EOFError"]


def test_it_ends_when_the_front_does_not_read_what_it_says(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.front.sendall(pack([1, "large"]))
    served.front.close()
    served.end()
    assert caplog.records == []  # asyncio has no complaints
    assert served.ends in (["EOFError"], ["ConnectionResetError"])


def test_it_ends_at_bytes_that_are_no_frame(served: Served) -> None:
    served.front.sendall(b"\xff" * 10)
    served.end()
    assert served.ends == ["ProtocolError"]


def test_an_answer_has_to_be_overridden(served: Served) -> None:
    with pytest.raises(NotImplementedError):
        asyncio.run(CoroutineWorker().answer(1))
