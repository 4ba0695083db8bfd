"""Dispatcher: each call ends once, in an answer or a refusal, whatever the handler does."""

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from opensmtpd._protocol.dispatch import LATER, Dispatcher
from opensmtpd._protocol.jobs import Job
from opensmtpd.answer import Deferred, Offload
from opensmtpd.errors import DecisionError, HandlerTimeout, LocalError
from opensmtpd.log import form
from unit.support.talk import run

S = b"1718c5e591926d28"


class Caller:
    """A dispatcher, and how its calls ended."""

    def __init__(self) -> None:
        self.logged: list[str] = []
        self.ends: list[Any] = []
        self.dispatcher = Dispatcher(10.0, self._log)

    def _log(self, event: str, session: str | None = None, **fields: object) -> None:
        self.logged.append(form(event, session, **fields))

    def run(self, call: Callable[[], object], owner: bytes | None = S) -> None:
        self.dispatcher.dispatch(owner, "on_connect", call, self._answer, self._refuse)

    def _answer(self, result: object) -> None:
        if result == "nonsense":
            raise DecisionError("a str is no decision")
        self.ends.append(result)

    def _refuse(self, error: BaseException) -> None:
        self.ends.append(type(error).__name__)


def explode(error: BaseException) -> Any:
    raise error


async def later(value: object) -> object:
    return value


EXITS = [ValueError("x"), SystemExit(0), KeyboardInterrupt(), GeneratorExit(), HandlerTimeout()]


def test_a_plain_answer() -> None:
    caller = Caller()
    caller.run(lambda: 7)
    assert caller.ends == [7]
    assert caller.dispatcher.pending.take() == []


@pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_is_a_refusal(error: BaseException) -> None:
    caller = Caller()
    caller.run(functools.partial(explode, error))
    assert caller.ends == [type(error).__name__]


def test_an_answer_that_is_not_taken_is_a_refusal() -> None:
    caller = Caller()
    caller.run(lambda: "nonsense")
    assert caller.ends == ["DecisionError"]


@pytest.mark.parametrize(
    "handler",
    [lambda: later(7), lambda: Offload(lambda: 7)],
    ids=["coroutine", "offload"],
)
class TestWork:
    def test_resolved(self, handler: Callable[[], object]) -> None:
        caller = Caller()
        caller.run(handler)
        assert caller.ends == []
        [job] = caller.dispatcher.pending.take()
        caller.dispatcher.resolve(job, job.task() if callable(job.task) else run(job.task))
        assert caller.ends == [7]
        caller.dispatcher.resolve(job, 8)
        caller.dispatcher.fail(job, ValueError())
        caller.dispatcher.expire(99.0)
        assert caller.ends == [7]

    @pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
    def test_failed(self, handler: Callable[[], object], error: BaseException) -> None:
        caller = Caller()
        caller.run(handler)
        [job] = caller.dispatcher.pending.take()
        caller.dispatcher.fail(job, error)
        caller.dispatcher.resolve(job, 7)
        job.cancel()
        assert caller.ends == [type(error).__name__]

    def test_late(self, handler: Callable[[], object]) -> None:
        caller = Caller()
        caller.dispatcher.now = 5.0
        caller.run(handler)
        [job] = caller.dispatcher.pending.take()
        caller.dispatcher.expire(14.9)
        assert caller.ends == []
        caller.dispatcher.expire(15.0)
        assert (caller.ends, job.cancelled) == (["HandlerTimeout"], True)
        caller.dispatcher.resolve(job, 7)
        assert caller.ends == ["HandlerTimeout"]

    def test_answer_not_taken(self, handler: Callable[[], object]) -> None:
        caller = Caller()
        caller.run(handler)
        [job] = caller.dispatcher.pending.take()
        caller.dispatcher.resolve(job, "nonsense")
        job.cancel()
        assert caller.ends == ["DecisionError"]

    def test_session_gone(self, handler: Callable[[], object]) -> None:
        caller = Caller()
        caller.run(handler)
        [job] = caller.dispatcher.pending.take()
        caller.dispatcher.pending.drop(S)
        caller.dispatcher.resolve(job, 7)
        caller.dispatcher.expire(99.0)
        assert (caller.ends, job.cancelled) == ([], True)


def _same(value: object) -> object:
    return value


class TestDeferred:
    def test_settled_before_and_after(self) -> None:
        caller = Caller()
        early: Deferred[int] = Deferred()
        early.settle(7)
        caller.run(lambda: early)
        assert (caller.ends, caller.dispatcher.waiting()) == ([7], False)
        late: Deferred[int] = Deferred()
        caller.run(lambda: late)
        assert caller.dispatcher.take_jobs() == []
        assert (caller.ends, caller.dispatcher.waiting()) == ([7], True)
        late.settle(8)
        assert (caller.ends, caller.dispatcher.waiting()) == ([7, 8], False)

    @pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
    def test_failed(self, error: BaseException) -> None:
        caller = Caller()
        deferred: Deferred[int] = Deferred()
        caller.run(lambda: deferred)
        deferred.fail(error)
        assert caller.ends == [type(error).__name__]

    def test_the_end_of_its_session_stops_the_work(self) -> None:
        caller, stopped = Caller(), list[str]()
        for owner in (S, None):
            deferred: Deferred[int] = Deferred()
            deferred.on_cancel(partial(stopped.append, str(owner)))
            caller.run(partial(_same, deferred), owner)
        caller.dispatcher.pending.drop(S)
        assert (stopped, caller.ends) == ([str(S)], [])
        caller.dispatcher.expire(10.0)
        assert (stopped, caller.ends) == ([str(S), "None"], ["HandlerTimeout"])

    def test_late(self) -> None:
        caller = Caller()
        deferred: Deferred[int] = Deferred()
        caller.run(lambda: deferred)
        caller.dispatcher.expire(10.0)
        deferred.settle(7)
        assert caller.ends == ["HandlerTimeout"]

    def test_answer_not_taken(self) -> None:
        caller = Caller()
        deferred: Deferred[str] = Deferred()
        caller.run(lambda: deferred)
        deferred.settle("nonsense")
        assert caller.ends == ["DecisionError"]

    def test_session_gone(self) -> None:
        caller = Caller()
        deferred: Deferred[int] = Deferred()
        caller.run(lambda: deferred)
        caller.dispatcher.pending.drop(S)
        deferred.settle(7)
        assert (caller.ends, caller.dispatcher.waiting()) == ([], False)


def test_time_does_not_run_backwards() -> None:
    caller = Caller()
    caller.dispatcher.now = 5.0
    caller.dispatcher.expire(1.0)
    assert caller.dispatcher.now == 5.0


def test_what_runs_is_known_while_it_runs_and_no_longer() -> None:
    caller = Caller()
    seen: list[tuple[object, int]] = []

    def on_connect() -> None:
        seen.append((caller.dispatcher.running, caller.dispatcher.count))

    caller.run(on_connect)
    caller.run(on_connect)
    assert seen == [("on_connect", 1), ("on_connect", 2)]
    assert caller.dispatcher.running is None
    caller.run(lambda: explode(ValueError()))
    assert caller.dispatcher.running is None


def test_nothing_runs_while_an_answer_is_given() -> None:
    caller = Caller()
    seen: list[object] = []
    caller.dispatcher.dispatch(
        S, "on_quit", lambda: 7, lambda _: seen.append(caller.dispatcher.running), lambda _: None
    )
    assert seen == [None]


def test_a_plain_call_can_be_seen_too() -> None:
    caller = Caller()
    assert caller.dispatcher.call(
        "message", lambda one, two: (one, two, caller.dispatcher.running), 1, 2
    ) == (
        1,
        2,
        "message",
    )
    with pytest.raises(ValueError, match="no"):
        caller.dispatcher.call("message", explode, ValueError("no"))
    assert (caller.dispatcher.running, caller.dispatcher.count) == (None, 2)


def test_what_has_no_owner_outlives_every_session() -> None:
    caller = Caller()
    caller.run(lambda: later(7), owner=None)
    caller.dispatcher.pending.drop(S)
    [job] = caller.dispatcher.pending.take()
    caller.dispatcher.resolve(job, run(job.task))
    assert caller.ends == [7]


# --- behind a job ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "ended"),
    [
        (lambda dispatcher, job: dispatcher.resolve(job, 7), 7),
        (lambda dispatcher, job: dispatcher.fail(job, ValueError()), "ValueError"),
        (lambda dispatcher, job: dispatcher.expire(10.0), "HandlerTimeout"),
    ],
    ids=["resolved", "failed", "late"],
)
def test_a_connection_hears_of_each_end_once_and_after_the_answer(
    end: Callable[[Dispatcher, Job], None], ended: object
) -> None:
    caller = Caller()
    caller.dispatcher = Dispatcher(10.0, caller._log, lambda: caller.ends.append("go on"))
    caller.run(lambda: 6)
    assert caller.ends == [6]  # an answer at once is no job's
    caller.run(lambda: later(7))
    [job] = caller.dispatcher.take_jobs()
    caller.dispatcher.expire(9.9)
    for _ in range(2):
        end(caller.dispatcher, job)
    caller.dispatcher.resolve(job, 8)
    assert caller.ends == [6, ended, "go on"]
    job.cancel()


def test_a_function_and_a_coroutine_become_jobs() -> None:
    caller, coroutine = Caller(), later(7)
    assert isinstance(coroutine, LATER)
    for result in (Offload(lambda: 6), coroutine):
        caller.dispatcher.start(result, S, caller._answer, caller._refuse)
    first, second = caller.dispatcher.take_jobs()
    assert callable(first.task)
    assert (first.task(), second.task) == (6, coroutine)
    assert caller.dispatcher.next_deadline() == 10.0
    caller.dispatcher.pending.drop(S)
    assert caller.dispatcher.next_deadline() is None
    coroutine.close()


# --- the log --------------------------------------------------------------------------------------


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_failure_is_logged_with_its_place_and_its_reason() -> None:
    caller = Caller()
    caller.dispatcher.log_failure(S, "on_connect", raised(ValueError("no such zone")))
    line = raised.__code__.co_firstlineno + 2
    assert caller.logged == [
        "1718c5e591926d28 handler-failed handler=on_connect error=ValueError"
        f' at=test_dispatch.py:{line} reason="no such zone"'
    ]


def test_a_failure_without_a_place() -> None:
    caller = Caller()
    caller.dispatcher.log_failure(S, "on_connect", HandlerTimeout("no answer within 60 s"))
    assert caller.logged == [
        "1718c5e591926d28 handler-failed handler=on_connect error=HandlerTimeout"
        ' reason="no answer within 60 s"'
    ]


@pytest.mark.parametrize("handler", ["on_auth", "on_protocol_client"])
@pytest.mark.parametrize("kind", [ValueError, KeyError, DecisionError, LocalError, SystemExit])
def test_no_text_of_a_handler_that_knows_passwords(handler: str, kind: type[BaseException]) -> None:
    caller = Caller()
    caller.dispatcher.log_failure(S, handler, raised(kind("PLAIN AGFsaWNlAHNlY3JldA==")))
    assert "AGFsaWNlAHNlY3JldA==" not in caller.logged[0]
    assert f"handler={handler} error={kind.__name__} at=test_dispatch.py:" in caller.logged[0]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


def test_an_exception_without_a_text_is_logged() -> None:
    caller = Caller()
    caller.dispatcher.log_failure(S, "on_connect", raised(Unprintable()))
    assert "handler=on_connect error=Unprintable at=test_dispatch.py:" in caller.logged[0]


class TestAfterAThread:
    """What the value of an Offload goes through before it is the answer."""

    def began(self, *after: Callable[[Any], object]) -> tuple[Caller, Job]:
        caller = Caller()
        work: Offload[Any] = Offload(lambda: 7)
        for each in after:
            work = work.then(each)
        caller.run(lambda: work)
        [job] = caller.dispatcher.pending.take()
        return caller, job

    def test_one_after_another(self) -> None:
        caller, job = self.began(lambda value: value + 1, lambda value: value * 2)
        assert job.task() == 7  # type: ignore[operator]
        caller.dispatcher.resolve(job, 7)
        assert caller.ends == [16]
        assert not caller.dispatcher.waiting()

    def test_a_deferred_is_waited_for(self) -> None:
        reply: Deferred[int] = Deferred()
        caller, job = self.began(lambda value: reply.then(lambda more: value + more), str)
        caller.dispatcher.resolve(job, 7)
        assert caller.ends == []
        assert caller.dispatcher.waiting()
        reply.settle(5)
        assert caller.ends == ["12"]
        assert not caller.dispatcher.waiting()

    def test_a_deferred_that_fails(self) -> None:
        reply: Deferred[int] = Deferred()
        caller, job = self.began(lambda _: reply, str)
        caller.dispatcher.resolve(job, 7)
        reply.fail(LocalError("dead"))
        assert caller.ends == ["LocalError"]
        assert not caller.dispatcher.waiting()

    @pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
    def test_whatever_is_raised_is_a_refusal(self, error: BaseException) -> None:
        caller, job = self.began(lambda _: explode(error), str)
        caller.dispatcher.resolve(job, 7)
        assert caller.ends == [type(error).__name__]
        assert not caller.dispatcher.waiting()

    def test_the_deadline_is_that_of_the_whole(self) -> None:
        reply: Deferred[int] = Deferred()
        caller, job = self.began(lambda _: reply)
        caller.dispatcher.expire(9.0)
        caller.dispatcher.resolve(job, 7)
        caller.dispatcher.expire(10.0)
        assert caller.ends == ["HandlerTimeout"]
        reply.settle(5)
        assert caller.ends == ["HandlerTimeout"]

    def test_a_deferred_stops_when_the_session_ends(self) -> None:
        stopped: list[bool] = []
        reply: Deferred[int] = Deferred()
        reply.on_cancel(lambda: stopped.append(True))
        caller, job = self.began(lambda _: reply)
        caller.dispatcher.resolve(job, 7)
        caller.dispatcher.pending.drop(S)
        assert stopped == [True]
        reply.settle(5)
        assert caller.ends == []

    def test_nothing_follows_for_a_session_that_has_ended(self) -> None:
        calls: list[object] = []
        caller, job = self.began(calls.append)
        caller.dispatcher.pending.drop(S)
        caller.dispatcher.resolve(job, 7)
        assert calls == caller.ends == []
