"""Threads: jobs run elsewhere, and the pipe that says so."""

import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from opensmtpd import log
from opensmtpd._protocol.jobs import Job
from opensmtpd._runtime.threads import End, Threads


class Pool:
    """Threads with a pipe to wait at."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        self.threads = Threads(self.writer)
        self.now = 0.0

    def start(self, task: Callable[[], Any]) -> Job:
        job = Job(task, b"1718c5e591926d28", 10.0, lambda _: None, lambda _: None)
        self.threads.start(job, self.now)
        return job

    def ends(self, count: int) -> list[End]:
        ends: list[End] = []
        while len(ends) < count:
            assert select.select([self.reader], [], [], 10)[0], "nobody woke us"
            os.read(self.reader, 1)
            ends += self.threads.finished()
        return ends


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    os.close(pool.reader)  # the writer stays: a thread may still have something to say


def test_a_result(pool: Pool) -> None:
    job = pool.start(lambda: threading.current_thread() is threading.main_thread())
    assert pool.ends(1) == [(job, None, False)]
    assert list(pool.threads.finished()) == []


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_is_handed_on_and_the_thread_goes_on(pool: Pool, error: BaseException) -> None:
    def explode() -> None:
        raise error

    jobs = [pool.start(explode) for _ in range(10)]
    ends = pool.ends(10)
    assert {id(job) for job, _, _ in ends} == set(map(id, jobs))
    assert all(raised is error and result is None for _, raised, result in ends)
    last = pool.start(lambda: "still here")
    assert pool.ends(1) == [(last, None, "still here")]


@pytest.mark.parametrize(("processors", "threads"), [(64, 4), (3, 4), (2, 3), (1, 2), (None, 2)])
def test_one_thread_more_than_processors_and_at_most_four(
    processors: int | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    pool, gate = Pool(), threading.Event()
    before = threading.active_count()
    for _ in range(10):
        pool.start(lambda: gate.wait(20))
    assert threading.active_count() == before + threads
    gate.set()
    assert len(pool.ends(10)) == 10
    os.close(pool.reader)


def test_what_is_done_does_not_wait_for_what_is_not(pool: Pool) -> None:
    begin, end = threading.Event(), threading.Event()
    pool.threads._limit = 1
    pool.start(lambda: begin.wait(20) and "first")
    pool.start(lambda: "second")
    pool.start(lambda: end.wait(20) and "third")
    begin.set()
    assert [result for _, _, result in pool.ends(2)] == ["first", "second"]
    end.set()
    assert [result for _, _, result in pool.ends(1)] == ["third"]


def test_no_thread_before_there_is_work(pool: Pool) -> None:
    assert pool.threads._count == 0


def test_what_nobody_waits_for_is_not_begun(pool: Pool) -> None:
    pool.threads._limit = 1
    gate = threading.Event()
    done = list[str]()
    pool.start(lambda: gate.wait(20))
    pool.start(lambda: done.append("cancelled")).cancel()
    pool.start(lambda: done.append("wanted"))
    gate.set()
    pool.ends(2)
    assert done == ["wanted"]


def test_a_full_pipe_loses_no_result(pool: Pool) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pool.writer, b"x" * 4096)
    for at in range(5):
        pool.start(lambda at=at: at)  # type: ignore[misc]
    assert sorted(result for _, _, result in pool.ends(5)) == [0, 1, 2, 3, 4]  # type: ignore[type-var]


def test_a_thread_that_cannot_be_started_fails_its_work_not_the_process(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_start)
    job = pool.start(lambda: "never")
    [(failed, error, _)] = pool.ends(1)
    assert failed is job
    assert repr(error) == 'RuntimeError("can\'t start new thread")'


def test_work_waits_for_the_threads_that_there_are(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.start(lambda: 1)
    monkeypatch.setattr(threading.Thread, "start", lambda _: explode())
    pool.start(lambda: 2)
    assert sorted(result for _, _, result in pool.ends(2)) == [1, 2]  # type: ignore[type-var]


def explode() -> None:
    raise RuntimeError("can't start new thread")


def test_what_hangs_past_its_deadline_does_not_stop_the_rest(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(log, "emit", logged.append)
    gate, hung = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        hung.release()
        gate.wait(20)

    for _ in range(pool.threads._limit):
        pool.start(hang)
    for _ in range(pool.threads._limit):
        assert hung.acquire(timeout=20)
    pool.now = 10.0
    waits = pool.start(lambda: "not yet late")
    pool.now = 10.1
    assert pool.threads._count == pool.threads._limit
    jobs = [waits, pool.start(lambda: "made up for")]
    assert [job for job, _, _ in pool.ends(2)] == jobs
    count = pool.threads._limit
    assert logged == [f'threads-stuck count={count} reason="work that never returns"']
    gate.set()
    assert len(pool.ends(count)) == count
