"""Work and Pending: an answer is waited for once, until its deadline."""

from collections.abc import Generator
from typing import Any

import pytest

from opensmtpd.work import Pending, Work

S, OTHER = b"1718c5e591926d28", b"1718c5e887ba5b41"


def work(job: Any = print, session: bytes = S, deadline: float = 10.0) -> Work:
    return Work(job, session, deadline, lambda _: None, lambda _: None)


class Pause:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def coroutine() -> None:
    await Pause()


def test_taken_once() -> None:
    pending, one = Pending(), work()
    pending.add(one)
    assert pending.take() == [one]
    assert pending.take() == []
    assert len(pending) == 1


def test_settled_once() -> None:
    pending, one = Pending(), work()
    pending.add(one)
    assert [pending.settle(one), pending.settle(one)] == [True, False]
    assert len(pending) == 0
    assert one.cancelled is False


def test_nobody_waits_for_a_work_that_was_never_added() -> None:
    assert Pending().settle(work()) is False


def test_drop_cancels_what_is_of_the_session() -> None:
    pending, mine, others = Pending(), work(), work(session=OTHER)
    pending.add(mine)
    pending.add(others)
    pending.drop(S)
    assert (mine.cancelled, others.cancelled) == (True, False)
    assert pending.take() == [others]
    assert [pending.settle(mine), pending.settle(others)] == [False, True]


def test_late() -> None:
    pending, early, late = Pending(), work(deadline=1.0), work(deadline=2.0)
    pending.add(early)
    pending.add(late)
    assert pending.next_deadline() == 1.0
    assert pending.late(0.9) == []
    assert pending.late(1.0) == [early]
    assert (early.cancelled, pending.settle(early)) == (True, False)
    assert pending.next_deadline() == 2.0
    assert pending.late(9.0) == [late]
    assert pending.next_deadline() is None


def test_cancelling_tells_the_runner() -> None:
    one, calls = work(), list[str]()
    one.when_cancelled(lambda: calls.append("cancelled"))
    one.cancel()
    assert calls == ["cancelled"]


@pytest.mark.filterwarnings("error")
def test_a_coroutine_that_never_started_is_closed() -> None:
    job = coroutine()
    work(job).cancel()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        job.send(None)


def test_a_coroutine_that_the_runner_has_is_left_to_it() -> None:
    job = coroutine()
    one = work(job)
    one.when_cancelled(lambda: None)
    one.cancel()
    assert job.send(None) is None
    job.close()
