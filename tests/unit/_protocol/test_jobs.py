"""Job and Pending: an answer is waited for once, until its deadline."""

import gc
import weakref
from collections import OrderedDict
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from opensmtpd._protocol.jobs import Job, Pending

S, OTHER = b"1718c5e591926d28", b"1718c5e887ba5b41"


def job(task: Any = print, session: bytes = S, deadline: float = 10.0) -> Job:
    return Job(task, session, deadline, lambda _: None, lambda _: None)


class Pause:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def coroutine() -> None:
    await Pause()


def test_taken_once() -> None:
    pending, one = Pending(), job()
    pending.add(one)
    assert pending.take() == [one]
    assert pending.take() == []
    assert len(pending) == 1


def test_settled_once() -> None:
    pending, one = Pending(), job()
    pending.add(one)
    assert [pending.settle(one), pending.settle(one)] == [True, False]
    assert len(pending) == 0
    assert one.cancelled is False


def test_nobody_waits_for_a_job_that_was_never_added() -> None:
    assert Pending().settle(job()) is False


class Unwalked(OrderedDict[Job, None]):
    """Jobs that nobody may go through."""

    def __iter__(self) -> Iterator[Job]:
        raise AssertionError("it looks at the jobs of other sessions")

    keys = values = items = __iter__  # type: ignore[assignment]


def test_drop_looks_at_no_other_session() -> None:
    """Else thousands of clients that vanish at once would cost thousands of jobs each."""
    pending = Pending()
    pending._jobs = Unwalked()
    mine, others = [job(), job()], [job(session=b"%016x" % number) for number in range(100)]
    for each in [*others, *mine]:
        pending.add(each)
    pending.drop(mine[0].owner or b"")
    assert [each.cancelled for each in mine] == [True, True]
    assert not any(each.cancelled for each in others)
    assert len(pending) == len(others)


def test_drop_cancels_what_is_of_the_session() -> None:
    pending, mine, others = Pending(), job(), job(session=OTHER)
    pending.add(mine)
    pending.add(others)
    pending.drop(S)
    assert (mine.cancelled, others.cancelled) == (True, False)
    assert pending.take() == [others]
    assert [pending.settle(mine), pending.settle(others)] == [False, True]


def test_late() -> None:
    pending, early, late = Pending(), job(deadline=1.0), job(deadline=2.0)
    pending.add(early)
    pending.add(late)
    assert pending.next_deadline() == 1.0
    assert pending.timed_out(0.9) == []
    assert pending.timed_out(1.0) == [early]
    assert (early.cancelled, pending.settle(early)) == (True, True)
    assert pending.next_deadline() == 2.0
    assert pending.timed_out(9.0) == [late]
    assert pending.timed_out(9.0) == [late]  # until it is settled
    assert pending.settle(late) is True
    assert pending.next_deadline() is None


def test_cancelling_tells_the_runner() -> None:
    one, calls = job(), list[str]()
    one.when_cancelled(lambda: calls.append("cancelled"))
    one.cancel()
    assert calls == ["cancelled"]


@pytest.mark.filterwarnings("error")
def test_a_coroutine_that_never_started_is_closed() -> None:
    task = coroutine()
    job(task).cancel()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        task.send(None)


def test_a_coroutine_that_the_loop_has_is_left_to_it() -> None:
    task = coroutine()
    one = job(task)
    one.when_cancelled(lambda: None)
    one.cancel()
    assert task.send(None) is None
    task.close()


def test_a_function_that_is_cancelled_is_let_go() -> None:
    class Held:
        def read(self) -> None:
            """Read it."""

    held = Held()
    one, gone = job(held.read), weakref.ref(held)
    one.cancel()
    del held
    gc.collect()
    assert gone() is None
    assert callable(one.task)
