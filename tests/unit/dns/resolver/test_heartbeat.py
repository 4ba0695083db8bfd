"""The heartbeat: one request at a time, while there are questions, and one end of patience."""

from typing import cast

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.dns.resolver.heartbeat import EVERY, SOON, WITHIN, WITHIN_MAX, Heartbeat
from opensmtpd.worker import Pool


class Silent:
    """A pool that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Deferred[object]] = []
        self.replaced = 0

    def ask(self, request: object) -> Deferred[object]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def replace(self) -> list[object]:
        self.replaced += 1
        return []


def test_it_asks_while_there_are_questions() -> None:
    pool = Silent()
    beats = Heartbeat(cast("Pool", pool))
    assert beats.next_deadline(busy=False) is None
    beats.beat(100.0, busy=False)
    assert pool.asked == []
    beats.beat(100.0, busy=True)
    beats.beat(100.0 + EVERY, busy=True)
    assert len(pool.asked) == 1
    pool.asked[0].settle(True)
    assert beats.next_deadline(busy=False) is None
    assert beats.next_deadline(busy=True) is not None


def test_no_answer_is_the_end_of_the_process(capfd: pytest.CaptureFixture[str]) -> None:
    pool = Silent()
    beats = Heartbeat(cast("Pool", pool))
    beats.beat(100.0, busy=True)
    assert beats.next_deadline(busy=False) == 100.0 + WITHIN
    beats.beat(100.0 + WITHIN - 0.1, busy=True)
    assert pool.replaced == 0
    beats.beat(100.0 + WITHIN, busy=True)
    assert pool.replaced == 1
    assert capfd.readouterr().err == "resolver-late seconds=0.7\n"
    beats.beat(100.0 + WITHIN, busy=True)
    assert (pool.replaced, len(pool.asked)) == (1, 1)


def late(beats: Heartbeat, now: float) -> float:
    """Ask at ``now``, and return the seconds after which the process is replaced."""
    beats.beat(now, busy=True)
    due = beats.next_deadline(busy=True)
    assert due is not None
    beats.beat(due, busy=True)
    return due - now


def test_processes_that_are_late_one_after_another_get_more_time() -> None:
    pool = Silent()
    beats = Heartbeat(cast("Pool", pool))
    given = [round(late(beats, 100.0 + 10 * number), 6) for number in range(5)]
    assert given == [WITHIN, 2 * WITHIN, 4 * WITHIN, WITHIN_MAX, WITHIN_MAX]
    assert pool.replaced == 5
    assert round(late(beats, 140.0 + WITHIN_MAX + SOON), 6) == WITHIN


def test_a_process_that_replies_is_not_late() -> None:
    pool = Silent()
    beats = Heartbeat(cast("Pool", pool))
    beats.seen(99.0)
    beats.beat(100.0, busy=True)
    beats.seen(100.5)
    assert beats.next_deadline(busy=True) == 100.5 + WITHIN
    beats.beat(100.0 + WITHIN, busy=True)
    assert pool.replaced == 0
