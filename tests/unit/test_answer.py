"""The answers of handlers that are no decision: work for a thread, and answers that come later."""

import asyncio
from typing import Any

import pytest

from opensmtpd.answer import Deferred, Offload
from opensmtpd.errors import DecisionError, HandlerTimeout
from opensmtpd.filter import PROCEED


@pytest.mark.parametrize("work", [None, PROCEED, [b"X: y"], b"x"])
def test_offload_takes_functions_only(work: object) -> None:
    with pytest.raises(DecisionError):
        Offload(work)  # type: ignore[arg-type]


async def coroutine() -> int:
    return 1


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (None, "a NoneType is no work for a thread"),
        (b"secret", "a bytes is no work for a thread"),
        (PROCEED, "a Proceed is no work for a thread"),
    ],
)
def test_the_fault_names_the_type_and_not_the_value(work: object, fault: str) -> None:
    with pytest.raises(DecisionError) as caught:
        Offload(work)  # type: ignore[arg-type]
    assert str(caught.value) == fault


def test_a_coroutine_is_no_function() -> None:
    started = coroutine()
    with pytest.raises(DecisionError, match=r"^a coroutine is no work for a thread$"):
        Offload(started)  # type: ignore[arg-type]
    started.close()


def test_the_function_is_kept_and_not_called() -> None:
    calls: list[int] = []
    offload = Offload(lambda: calls.append(1))
    assert calls == []
    offload.function()
    assert calls == [1]


def test_there_is_nothing_else_to_set() -> None:
    with pytest.raises(AttributeError):
        Offload(len).deadline = 5  # type: ignore[attr-defined, arg-type]


def test_then_leaves_the_offload_as_it_is() -> None:
    plain: Offload[int] = Offload(lambda: 7)
    more = plain.then(str).then(len)
    assert (plain.after, more.after) == ((), (str, len))
    assert more.function is plain.function


def ends_of(deferred: Deferred[Any]) -> list[tuple[Any, str]]:
    """Return the list to which the end of a Deferred is added: its value, its exception's name."""
    ends: list[tuple[Any, str]] = []
    deferred.on_end(lambda value, error: ends.append((value, type(error).__name__)))
    return ends


def test_a_deferred_ends_once() -> None:
    deferred: Deferred[int] = Deferred()
    early = ends_of(deferred)
    assert early == []
    deferred.settle(7)
    deferred.settle(8)
    deferred.fail(ValueError())
    assert early == ends_of(deferred) == [(7, "NoneType")]


def test_a_deferred_may_fail() -> None:
    deferred: Deferred[int] = Deferred()
    deferred.fail(ValueError())
    deferred.settle(8)
    assert ends_of(deferred) == [(None, "ValueError")]


def test_then_maps_the_value_and_leaves_a_failure() -> None:
    deferred: Deferred[int] = Deferred()
    mapped = ends_of(deferred.then(lambda value: value + 1).then(str))
    deferred.settle(7)
    assert mapped == [("8", "NoneType")]
    failed: Deferred[int] = Deferred()
    failed.fail(ValueError())
    assert ends_of(failed.then(lambda value: 1 / 0)) == [(None, "ValueError")]


@pytest.mark.parametrize("error", [KeyError(), SystemExit(), HandlerTimeout()])
def test_what_a_function_raises_is_the_failure(error: BaseException) -> None:
    def explode(_value: int) -> int:
        raise error

    deferred: Deferred[int] = Deferred()
    mapped = ends_of(deferred.then(explode))
    deferred.settle(7)
    assert mapped == [(None, type(error).__name__)]


def test_a_function_may_return_another_deferred() -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[str] = Deferred()
    mapped = ends_of(first.then(lambda value: second))
    first.settle(7)
    assert mapped == []
    second.settle("x")
    assert mapped == [("x", "NoneType")]


def test_a_deferred_can_be_awaited() -> None:
    async def both() -> list[object]:
        early: Deferred[int] = Deferred()
        late: Deferred[int] = Deferred()
        failed: Deferred[int] = Deferred()
        early.settle(1)
        asyncio.get_running_loop().call_soon(late.settle, 2)
        failed.fail(ValueError())
        found: list[object] = [await early, await late]
        try:
            await failed
        except ValueError:
            found.append("failed")
        return found

    assert asyncio.run(both()) == [1, 2, "failed"]


def test_one_who_awaits_may_be_cancelled() -> None:
    async def cancelled() -> bool:
        deferred: Deferred[int] = Deferred()

        async def wait() -> int:
            return await deferred

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        deferred.settle(7)
        return task.cancelled()

    assert asyncio.run(cancelled())


def test_where_nobody_waits_the_work_is_stopped() -> None:
    deferred: Deferred[int] = Deferred()
    stopped: list[int] = []
    deferred.on_cancel(lambda: stopped.append(1))
    ends = ends_of(deferred)
    deferred.cancel()
    deferred.cancel()
    deferred.settle(7)
    assert (ends, stopped) == ([], [1])


def test_one_that_has_ended_has_nothing_to_stop() -> None:
    deferred: Deferred[int] = Deferred()
    stopped: list[int] = []
    deferred.on_cancel(lambda: stopped.append(1))
    deferred.settle(7)
    deferred.on_cancel(lambda: stopped.append(2))
    deferred.cancel()
    assert (ends_of(deferred), stopped) == ([(7, "NoneType")], [])


def test_what_a_mapped_one_waits_for_is_stopped() -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    stopped: list[str] = []
    first.on_cancel(lambda: stopped.append("first"))
    second.on_cancel(lambda: stopped.append("second"))
    first.then(str).then(len).cancel()
    other: Deferred[int] = Deferred()

    def go_on(_value: int) -> Deferred[int]:
        return second

    mapped: Deferred[int] = other.then(go_on)
    other.settle(7)
    mapped.cancel()
    assert stopped == ["first", "second"]
