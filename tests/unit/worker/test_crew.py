"""A crew whose stem is played by the test: no process is started."""

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from opensmtpd.worker.crew import DEATHS, MADE_WITHIN, MADE_WITHIN_FIRST, WINDOW, Crew
from opensmtpd.worker.ends import GONE, StemEnd
from opensmtpd.worker.frames import FrameBuffer, pack
from opensmtpd.worker.open_request import OpenRequest
from opensmtpd.worker.stem_orders import KILL, STEM, WORKER
from opensmtpd.worker.stems import PAUSE
from opensmtpd.worker.worker import FAILURE, FORKED, HELLO, KILLED, VALUE


def received(stem: socket.socket) -> Iterator[tuple[int, list[Any], list[int]]]:
    """Yield the orders that have come, with their arguments and descriptors."""
    stem.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            data, fds, _, _ = socket.recv_fds(stem, 1 << 16, 16)  # up to the next descriptor
            for order, *arguments in FrameBuffer().feed(data):
                yield order, arguments, fds


class Stage:
    """A crew, and the other ends of its sockets."""

    def __init__(self, count: int = 1, *, in_order: bool = True) -> None:
        ours, self.stem = socket.socketpair()
        end = StemEnd(ours)
        end.pid, end.serves = 100, True
        self.selector = selectors.DefaultSelector()
        GONE.clear()
        self.gone = GONE
        self.others: list[socket.socket] = []
        self.orders: list[int] = []
        self.killed: list[int] = []
        self.ends: dict[int, Any] = {}
        self.pids = 100
        self.crew = Crew(end, self.selector, count, in_order=in_order)
        self.obey()

    def obey(self) -> None:
        """Do what a stem does with the orders that have come."""
        for order, arguments, fds in received(self.stem):
            if order == KILL:
                self.killed += arguments
                self.stem.sendall(pack([KILLED, 0, *arguments]))
                continue
            self.orders.append(order)
            self.pids += 1
            other = socket.socket(fileno=fds[0])
            other.sendall(pack([HELLO, 0, self.pids] if order == STEM else [HELLO, 0]))
            self.stem.sendall(pack([FORKED, 0, self.pids]))
            self.others.append(other)
        self.take()

    def take(self) -> None:
        """Have the crew take what has come."""
        for key, _ in self.selector.select(0):
            for settle in key.data.receive(key.fileobj):
                settle()

    def expire(self, now: float) -> None:
        for settle in self.crew.expire(now):
            settle()

    def ask(self, number: int, deadline: float = 1e12) -> None:
        request = OpenRequest(number, pack([number, "x"]), deadline)
        request.deferred.on_end(
            lambda value, error: self.ends.update({number: value or str(error)})
        )
        self.crew.add(request)

    def workers(self) -> list[socket.socket]:
        return [
            other for order, other in zip(self.orders, self.others, strict=True) if order == WORKER
        ]

    def asked(self, worker: socket.socket) -> list[int]:
        """Return the numbers of the requests that have come to a worker."""
        worker.setblocking(False)
        try:
            return [number for number, _ in FrameBuffer().feed(worker.recv(1 << 16))]
        except BlockingIOError:
            return []


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.crew.close()


def test_it_begins_with_an_heir_and_its_workers() -> None:
    assert Stage(count=3).orders == [STEM, WORKER, WORKER, WORKER]


def test_a_request_is_sent_at_once_and_answered(stage: Stage) -> None:
    stage.ask(1)
    [worker] = stage.workers()
    assert stage.asked(worker) == [1]
    worker.sendall(pack([VALUE, 1, "reply"]))
    stage.take()
    assert stage.ends == {1: "reply"}


def test_those_behind_it_go_together_with_flush_or_a_reply(stage: Stage) -> None:
    for number in range(1, 20):
        stage.ask(number)
    [worker] = stage.workers()
    assert stage.asked(worker) == [1]
    stage.crew.flush()
    assert stage.asked(worker) == [2, 3, 4, 5, 6, 7, 8]
    assert WINDOW == 8
    worker.sendall(pack([VALUE, 1, "a"]) + pack([FAILURE, 2, "KeyError", ""]))
    stage.take()
    assert stage.asked(worker) == [9, 10]
    assert stage.ends == {1: "a", 2: "KeyError"}


def test_the_rest_of_a_large_request_is_sent_when_the_worker_takes_it(stage: Stage) -> None:
    """The selector tells, and nothing else: a front may have nothing to do meanwhile."""
    request = OpenRequest(1, pack([1, b"x" * 1_000_000]), 1e12)
    request.deferred.on_end(lambda value, error: stage.ends.update({1: value or str(error)}))
    stage.crew.add(request)
    [worker] = stage.workers()
    assert stage.selector.select(0) == []
    came = 0
    while came < len(request.frame):
        came += len(worker.recv(1 << 20))
        stage.take()
    assert stage.selector.select(0) == []
    worker.sendall(pack([VALUE, 1, "reply"]))
    stage.take()
    assert stage.ends == {1: "reply"}


def test_the_worker_with_the_fewest_requests_is_asked() -> None:
    stage = Stage(count=2)
    for number in range(1, 5):
        stage.ask(number)
    stage.crew.flush()
    assert [stage.asked(worker) for worker in stage.workers()] == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    "frame",
    [7, [], [9, 1], [VALUE, 1], [VALUE, 1, 2, 3], [VALUE, 99, 1], [VALUE, [1], 1],
     [FAILURE, 1], [FAILURE, 1, "X", 7], [FORKED, 0, 1], [KILLED, 0, 1], [HELLO, 0], {"a": 1}],
)  # fmt: skip
def test_a_worker_that_talks_nonsense_is_killed_and_replaced(stage: Stage, frame: object) -> None:
    [worker] = stage.workers()
    stage.ask(1)
    worker.sendall(pack(frame))
    stage.take()
    stage.obey()
    assert stage.killed == [102]
    assert len(stage.workers()) == 2
    if 1 not in stage.ends:
        assert stage.asked(stage.workers()[1]) == [1]


def test_stems_that_are_late_one_after_another_get_more_time(stage: Stage) -> None:
    stage.workers()[-1].close()
    stage.take()
    for within in (MADE_WITHIN, 2 * MADE_WITHIN):
        [worker] = stage.crew.workers
        due = stage.crew.next_deadline()
        assert due == worker.asked + within
        stage.expire(due)


def test_a_stem_that_has_just_loaded_gets_more_time() -> None:
    stage = Stage(count=0)
    stage.crew._count = 1
    stage.crew.repair(time.monotonic())
    [worker] = stage.crew.workers
    assert stage.crew.next_deadline() == worker.asked + MADE_WITHIN_FIRST
    stage.obey()
    stage.workers()[-1].close()
    stage.take()
    [worker] = stage.crew.workers
    assert stage.crew.next_deadline() == worker.asked + MADE_WITHIN


def test_what_a_stopped_stem_may_still_kill_is_not_waited_for(stage: Stage) -> None:
    """Another process could get the id of one that was waited for."""
    [worker] = stage.workers()
    worker.sendall(b"\xff" * 64)
    stage.take()
    assert 102 not in stage.gone
    stage.obey()
    assert (stage.killed, 102 in stage.gone) == ([102], True)


def test_no_request_is_blamed_for_the_death_that_another_has_caused(stage: Stage) -> None:
    """The worker may have been at any of them; each is asked alone to find the one."""
    for number in (1, 2, 3):
        stage.ask(number)
    stage.crew.flush()

    def die() -> None:
        stage.workers()[-1].close()
        stage.take()
        stage.obey()

    die()
    stage.ask(4)
    for number in (1, 2):
        worker = stage.workers()[-1]
        assert stage.asked(worker) == [number]
        worker.sendall(pack([VALUE, number, "reply"]))
        stage.take()
    assert stage.asked(stage.workers()[-1]) == [3]
    die()
    assert stage.ends == {1: "reply", 2: "reply", 3: "a worker died of this request, twice"}
    assert stage.asked(stage.workers()[-1]) == [4]


def test_a_request_that_is_asked_alone_waits_for_an_idle_worker() -> None:
    stage = Stage(count=2)
    for number in range(1, 5):
        stage.ask(number)
    stage.crew.flush()
    one, other = stage.workers()
    one.close()
    stage.take()  # 1 goes to the next worker alone, and 3 waits
    stage.ask(5)
    assert stage.asked(other) == [2, 4]
    other.sendall(pack([VALUE, 2, "reply"]))
    stage.take()
    assert stage.asked(other) == []
    other.sendall(pack([VALUE, 4, "reply"]))
    stage.take()
    assert stage.asked(other) == [3]
    stage.obey()
    assert stage.asked(stage.workers()[-1]) == [1]
    other.sendall(pack([VALUE, 3, "reply"]))
    stage.take()
    assert stage.asked(other) == [5]


def test_all_are_blamed_where_a_worker_is_at_many() -> None:
    stage = Stage(in_order=False)
    for number in (1, 2):
        stage.ask(number)
    stage.crew.flush()
    for _ in range(2):
        stage.workers()[-1].close()
        stage.take()
        stage.obey()
    assert stage.ends == dict.fromkeys((1, 2), "a worker died of this request, twice")


def test_a_late_worker_is_killed_and_what_was_behind_is_asked_anew(stage: Stage) -> None:
    now = time.monotonic()
    stage.ask(1, deadline=now + 5)
    stage.ask(2, deadline=now + 6)
    assert stage.crew.next_deadline() == now + 5
    stage.expire(now + 5)
    assert (stage.ends, stage.crew.restarting) == ({1: "no answer in time"}, True)
    stage.obey()
    assert (stage.killed, stage.crew.restarting) == ([102], False)
    assert stage.asked(stage.workers()[1]) == [2]


def test_a_request_that_is_late_before_others_does_not_wait_for_their_deadline(
    stage: Stage,
) -> None:
    now = time.monotonic()
    for number, seconds in enumerate((40, 50, 2, 45), 1):
        stage.ask(number, deadline=now + seconds)
    assert stage.crew.next_deadline() == now + 2
    stage.expire(now + 2)
    assert stage.ends == {3: "no answer in time"}
    stage.obey()
    assert stage.crew.next_deadline() == now + 40
    stage.expire(now + 45)
    assert stage.ends.keys() == {1, 3, 4}


def test_many_deaths_are_repaired_later(stage: Stage) -> None:
    for _ in range(DEATHS):
        stage.workers()[-1].close()
        stage.take()
        stage.obey()
    assert len(stage.workers()) == DEATHS
    due = stage.crew.next_deadline()
    assert due is not None
    assert due - time.monotonic() <= PAUSE
    stage.expire(due)
    stage.obey()
    assert len(stage.workers()) == DEATHS + 1


def test_a_worker_that_does_not_begin_is_asked_of_the_heir(stage: Stage) -> None:
    heir = stage.others[0]
    stage.workers()[0].close()
    stage.take()  # the first stem is asked, and does not obey
    due = stage.crew.next_deadline()
    assert due is not None
    stage.ask(1)
    stage.expire(due)
    assert [order for order, *_ in received(heir)] == [STEM, WORKER]


def test_a_worker_that_takes_long_to_begin_is_waited_for() -> None:
    """The stem is at fault where nothing was forked, and only then."""
    stage = Stage(count=0)
    stage.crew._count = 1
    stage.crew.repair(time.monotonic())
    [(order, _, _)] = received(stage.stem)
    assert order == WORKER
    stage.stem.sendall(pack([FORKED, 0, 102]))
    stage.take()
    assert stage.crew.next_deadline() is None
    stage.expire(time.monotonic() + 60)
    assert [each.pid for each in stage.crew.workers] == [102]
    stage.crew.close()


def test_the_last_stem_is_not_given_up(stage: Stage) -> None:
    stage.others[0].close()
    stage.take()  # another heir is ordered, which does not come
    stage.workers()[0].close()
    stage.take()
    for _ in range(3):
        due = stage.crew.next_deadline()
        assert due is not None
        stage.expire(due)
    assert len(stage.crew.stems) >= 1
