"""Timers without a clock: when they are due, and that no run is started twice."""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd._protocol.dispatch import RUN_MAX, Dispatcher
from opensmtpd._protocol.timers import Timers
from opensmtpd.answer import Offload
from opensmtpd.log import form
from unit.support.talk import run


class Served:
    """A dispatcher with timers, whose runs and log lines are kept."""

    def __init__(
        self, *periods: float, act: Callable[[], Any] = lambda: None, debug: bool = False
    ) -> None:
        self.logged: list[str] = []
        self.runs: list[str] = []
        self.act = act
        self.dispatcher = Dispatcher(5.0, self._log, debug=debug)
        methods = [(f"t{each:g}", each, self._method(f"t{each:g}")) for each in periods]
        self.dispatcher.timers = Timers(methods, 0.0)

    def _log(self, event: str, session: str | None = None, **fields: object) -> None:
        self.logged.append(form(event, session, **fields))

    def _method(self, name: str) -> Callable[[], Any]:
        def method() -> Any:
            self.runs.append(f"{name} at {self.dispatcher.now:g}")
            return self.act()

        return method

    def at(self, *times: float) -> list[str]:
        """Let the time come; return the runs that begin."""
        self.runs.clear()
        for time in times:
            self.dispatcher.expire(time)
        return self.runs


async def later() -> None:
    """End at once, in a coroutine."""


def test_each_runs_in_its_own_time() -> None:
    served = Served(2.0, 5.0)
    assert served.dispatcher.next_deadline() == 2.0
    assert served.at(1.9) == []
    assert served.at(2.0) == ["t2 at 2"]
    assert served.dispatcher.next_deadline() == 4.0
    assert served.at(4.1, 5.0, 6.0, 10.0) == [
        "t2 at 4.1",
        "t5 at 5",
        "t2 at 6",
        "t2 at 10",
        "t5 at 10",
    ]
    assert served.logged == []


def test_a_late_run_does_not_move_the_next() -> None:
    served = Served(2.0)
    assert served.at(3.5, 4.0) == ["t2 at 3.5", "t2 at 4"]
    assert served.dispatcher.next_deadline() == 6.0


def test_after_a_long_stall_one_run_makes_up_for_all() -> None:
    served = Served(2.0)
    assert served.at(10_001.0, 10_001.5) == ["t2 at 10001"]
    assert served.dispatcher.next_deadline() == 10_002.0


def test_a_period_below_the_digits_of_the_clock() -> None:
    served = Served(1e-12)
    assert len(served.at(1e6)) == 1
    assert served.at(1e6) in ([], ["t1e-12 at 1e+06"])


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit("x"), KeyboardInterrupt("x")])
def test_a_failure_is_logged_and_the_next_run_comes(error: BaseException) -> None:
    def act() -> None:
        raise type(error)("x")

    served = Served(2.0, act=act, debug=True)
    assert len(served.at(2.0, 4.0)) == 2
    kind = type(error).__name__
    line = act.__code__.co_firstlineno + 1
    failed = f"handler-failed handler=t2 error={kind} at=test_timers.py:{line} reason=x"
    assert served.logged.count(failed) == 2
    assert sum(f"traceback at={__file__}:{line} in=" in each for each in served.logged) == 2


@pytest.mark.parametrize("make", [later, lambda: Offload(lambda: None)], ids=["async", "thread"])
def test_a_run_under_way_is_not_started_twice(make: Callable[[], Any]) -> None:
    served = Served(2.0, act=make)
    dispatcher = served.dispatcher
    assert served.at(2.0, 4.0, 6.0, 1000.0) == ["t2 at 2"]
    assert served.logged == ["timer-late handler=t2 seconds=2"]
    [job] = dispatcher.take_jobs()
    assert (job.deadline, job.cancelled, len(dispatcher.pending)) == (2.0 + RUN_MAX, False, 1)
    dispatcher.resolve(job, job.task() if callable(job.task) else run(job.task))
    assert len(dispatcher.pending) == 0
    assert served.at(1001.0, 1002.0, 1004.0) == ["t2 at 1002"]
    assert len(served.logged) == 1  # late again, and said already
    [job] = dispatcher.take_jobs()
    dispatcher.fail(job, ValueError("x"))
    job.cancel()
    assert served.logged[1:] == ["handler-failed handler=t2 error=ValueError reason=x"]
    assert served.at(1006.0) == ["t2 at 1006"]
    [job] = dispatcher.take_jobs()
    job.cancel()


def test_a_timer_that_is_late_at_each_turn_says_so_once() -> None:
    served = Served(2.0, act=later)
    for start in (2.0, 6.0, 10.0):  # each run takes 3 seconds
        assert served.at(start, start + 2.0) == [f"t2 at {start:g}"]
        [job] = served.dispatcher.take_jobs()
        served.dispatcher.resolve(job, run(job.task))
    assert served.logged == ["timer-late handler=t2 seconds=2"]
    for start in (14.0, 16.0):  # in time
        assert served.at(start) == [f"t2 at {start:g}"]
        [job] = served.dispatcher.take_jobs()
        served.dispatcher.resolve(job, run(job.task))
    assert served.at(18.0, 20.0) == ["t2 at 18"]
    assert served.logged == ["timer-late handler=t2 seconds=2"] * 2
    [job] = served.dispatcher.take_jobs()
    job.cancel()


def test_a_run_is_never_late_and_hides_no_answer_that_is() -> None:
    served = Served(2.0, act=later)
    ends: list[object] = []
    served.at(2.0)
    served.dispatcher.dispatch(b"s", "on_quit", later, ends.append, ends.append)
    assert served.dispatcher.next_deadline() == 4.0
    served.at(6.9)
    assert ends == []
    served.at(7.0)
    assert [str(end) for end in ends] == ["no answer within 5 s"]
    run_, _ = served.dispatcher.pending._fresh
    assert not run_.cancelled
    run_.cancel()


def test_the_watchdog_sees_a_plain_run() -> None:
    seen: list[object] = []
    served = Served(2.0, act=lambda: seen.append(served.dispatcher.running))
    served.at(2.0)
    assert seen == ["t2"]
    assert served.dispatcher.running is None


def test_without_timers_there_is_nothing_to_wait_for() -> None:
    dispatcher = Dispatcher(5.0, lambda *_, **__: None)
    dispatcher.expire(1e6)
    assert dispatcher.next_deadline() is None
