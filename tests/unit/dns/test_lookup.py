"""Lookups: at once where all is known, a coroutine where not, many in one step."""

import asyncio
from collections.abc import Sequence
from types import CoroutineType
from typing import Any

import pytest

from opensmtpd.dns import (
    Absent,
    Failed,
    Found,
    Lookup,
    Question,
    RecordType,
    Reply,
    gather,
    run_lookup,
)
from opensmtpd.testing.zone import Zone


def a(name: str) -> Question:
    return Question(name, RecordType.A)


YES: Reply = Found(("192.0.2.1",))
ZONE = {a("one"): YES, a("two"): Failed("timeout")}


def in_turn(*names: str) -> Lookup[list[Reply]]:
    """Ask for names, one a round."""
    found = []
    for name in names:
        [reply] = yield [a(name)]
        found.append(reply)
    return found


def at_once(*names: str) -> Lookup[Sequence[Reply]]:
    found: Sequence[Reply] = yield [a(name) for name in names]
    return found


def test_what_is_known_is_settled_at_once() -> None:
    zone = Zone(ZONE)
    assert run_lookup(in_turn("one", "two", "none"), zone, 1) == [YES, Failed("timeout"), Absent()]
    assert zone.asked == [a("one"), a("two"), a("none")]


def test_without_a_question_nobody_is_asked() -> None:
    assert run_lookup(in_turn(), Zone(ZONE), 1) == []


def test_what_is_not_known_is_asked() -> None:
    settled = run_lookup(in_turn("one", "none"), Zone(ZONE, cached=False), 1)
    assert isinstance(settled, CoroutineType)
    assert asyncio.run(settled) == [YES, Absent()]


class Half(Zone):
    """Knows ``one``, and tells until when it was asked."""

    def __init__(self, left: list[float]) -> None:
        super().__init__(ZONE)
        self.left = left

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        return super().known(questions) if list(questions) == [a("one")] else None

    async def ask(self, questions: Sequence[Question], until: float) -> list[Reply]:
        self.left.append(until)
        return await super().ask(questions, until)


def test_all_rounds_share_one_deadline() -> None:
    left: list[float] = []
    settled = run_lookup(in_turn("one", "two", "one", "none"), Half(left), 7)
    assert isinstance(settled, CoroutineType)

    async def run() -> tuple[float, Any]:
        return asyncio.get_running_loop().time(), await settled

    start, found = asyncio.run(run())
    assert found == [YES, Failed("timeout"), YES, Absent()]
    assert len(left) == 2
    assert left[0] == left[1]
    assert start + 7 <= left[0] < start + 60


def test_what_a_lookup_raises_gets_out() -> None:
    def broken() -> Lookup[None]:
        yield [a("one")]
        raise KeyError

    with pytest.raises(KeyError):
        run_lookup(broken(), Zone(ZONE), 1)
    settled = run_lookup(broken(), Zone(ZONE, cached=False), 1)
    assert isinstance(settled, CoroutineType)
    with pytest.raises(KeyError):
        asyncio.run(settled)


def test_a_lookup_that_nobody_waits_for_ends() -> None:
    ends = []

    def careful() -> Lookup[None]:
        try:
            yield [a("one")]
        finally:
            ends.append("closed")

    class Never(Zone):
        async def ask(self, questions: Sequence[Question], until: float) -> list[Reply]:
            await asyncio.sleep(3600)
            raise AssertionError

    async def cancel() -> None:
        settled = run_lookup(careful(), Never(ZONE, cached=False), 1)
        assert isinstance(settled, CoroutineType)
        task = asyncio.create_task(settled)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancel())
    assert ends == ["closed"]


@pytest.mark.parametrize("cached", [True, False])
def test_together(cached: bool) -> None:
    zone = Zone(ZONE, cached=cached)
    lookups = [in_turn("one", "two"), in_turn(), at_once("two", "one")]
    found = run_lookup(gather(lookups), zone, 1)
    if isinstance(found, CoroutineType):
        found = asyncio.run(found)
    assert found == [[YES, Failed("timeout")], [], [Failed("timeout"), YES]]


def test_together_of_nothing() -> None:
    assert run_lookup(gather([]), Zone(ZONE), 1) == []


def test_one_that_waits_holds_up_no_other() -> None:
    """Else whoever can make one question wait would keep the others from being asked."""

    class Slow(Zone):
        async def ask(self, questions: Sequence[Question], until: float) -> list[Reply]:
            if questions[0].name == "slow":
                while a("three") not in self.asked:
                    await asyncio.sleep(0)
            return await super().ask(questions, until)

    zone = Slow(ZONE, cached=False)
    settled = run_lookup(gather([in_turn("slow"), in_turn("one", "two", "three")]), zone, 1)
    assert isinstance(settled, CoroutineType)
    assert asyncio.run(settled) == [[Absent()], [YES, Failed("timeout"), Absent()]]
    assert zone.asked == [a("one"), a("two"), a("three"), a("slow")]


def test_some_are_known_and_some_are_not() -> None:
    found = run_lookup(gather([in_turn("one"), in_turn("one", "two")]), Half([]), 1)
    assert isinstance(found, CoroutineType)
    assert asyncio.run(found) == [[YES], [YES, Failed("timeout")]]


def test_if_one_breaks_the_others_come_to_their_ends() -> None:
    ends = []

    def careful() -> Lookup[None]:
        yield [a("one")]
        yield [a("one")]
        ends.append("ended")

    def broken() -> Lookup[None]:
        yield [a("two")]
        raise KeyError

    with pytest.raises(KeyError):
        run_lookup(gather([broken()]), Zone(ZONE), 1)
    settled = run_lookup(gather([careful(), broken(), careful()]), Zone(ZONE, cached=False), 1)
    assert isinstance(settled, CoroutineType)
    with pytest.raises(KeyError):
        asyncio.run(settled)
    assert ends == ["ended"] * 2
