"""Lookups: at once where all is known, a Deferred where not, many in one step."""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest

from opensmtpd.answer import Deferred
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
from opensmtpd.dns.lookup import Soon
from opensmtpd.testing.zone import Zone


def a(name: str) -> Question:
    return Question(name, RecordType.A)


YES: Reply = Found(("192.0.2.1",))
NONE: Reply = Absent(nxdomain=True)
ZONE = {a("one"): YES, a("two"): Failed("timeout")}


def end_of(settled: object) -> Any:
    """Return the value of a Deferred that has its end. Raises its exception."""
    assert isinstance(settled, Deferred)
    ends: list[tuple[Any, BaseException | None]] = []
    settled.on_end(lambda *end: ends.append(end))
    [(value, error)] = ends
    if error is not None:
        raise error
    return value


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
    assert run_lookup(in_turn("one", "two", "none"), zone, 1) == [YES, Failed("timeout"), NONE]
    assert zone.asked == [a("one"), a("two"), a("none")]


def test_without_a_question_nobody_is_asked() -> None:
    assert run_lookup(in_turn(), Zone(ZONE), 1) == []


def test_what_is_not_known_is_asked() -> None:
    settled = run_lookup(in_turn("one", "none"), Zone(ZONE, cached=False), 1)
    assert end_of(settled) == [YES, NONE]


class Half(Zone):
    """Knows ``one``, and tells until when it was asked."""

    def __init__(self, left: list[float]) -> None:
        super().__init__(ZONE)
        self.left = left

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        return super().known(questions) if list(questions) == [a("one")] else None

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        self.left.append(until)
        return super().ask(questions, until)


def test_all_rounds_share_one_deadline() -> None:
    left: list[float] = []
    start = time.monotonic()
    settled = run_lookup(in_turn("one", "two", "one", "none"), Half(left), 7)
    assert end_of(settled) == [YES, Failed("timeout"), YES, NONE]
    assert len(left) == 2
    assert left[0] == left[1]
    assert start + 7 <= left[0] < start + 60


@pytest.mark.parametrize(("within", "least"), [(7.0, 3.0), (1.0, 1.0)])
def test_a_step_that_waits_for_a_short_time(within: float, least: float) -> None:
    def patient_later() -> Lookup[list[list[Reply]]]:
        first = yield Soon([a("one"), a("two")])
        second = yield [a("two")]
        return [first, second]

    left: list[float] = []
    start = time.monotonic()
    settled = run_lookup(patient_later(), Half(left), within)
    assert end_of(settled) == [[YES, Failed("timeout")], [Failed("timeout")]]
    assert start + least <= left[0] <= left[1]
    assert left[0] < time.monotonic() + least
    assert left[1] - left[0] == pytest.approx(within - least, abs=0.5)


def test_what_a_lookup_raises_gets_out() -> None:
    def broken() -> Lookup[None]:
        yield [a("one")]
        raise KeyError

    with pytest.raises(KeyError):
        run_lookup(broken(), Zone(ZONE), 1)
    settled = run_lookup(broken(), Zone(ZONE, cached=False), 1)
    with pytest.raises(KeyError):
        end_of(settled)


class Later(Zone):
    """Replies when it is told to, in any order."""

    def __init__(self) -> None:
        super().__init__(ZONE, cached=False)
        self.waiting: dict[str, Deferred[list[Reply]]] = {}
        self.cancelled: list[str] = []

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        name, replies = questions[0].name, Deferred[list[Reply]]()
        replies.on_cancel(lambda: self.cancelled.append(name))
        self.waiting[name] = replies
        return replies

    def reply(self, name: str) -> None:
        self.waiting.pop(name).settle(self._replies([a(name)]))


def careful(ends: list[str], *names: str) -> Lookup[list[Reply]]:
    try:
        found = yield from in_turn(*names)
    finally:
        ends.append("closed")
    return found


def test_replies_that_come_later() -> None:
    zone = Later()
    settled = run_lookup(in_turn("one", "two"), zone, 1)
    assert isinstance(settled, Deferred)
    assert list(zone.waiting) == ["one"]
    zone.reply("one")
    assert list(zone.waiting) == ["two"]
    zone.reply("two")
    assert end_of(settled) == [YES, Failed("timeout")]


def test_an_async_handler_may_await_it() -> None:
    zone = Later()

    async def handler() -> Any:
        asyncio.get_running_loop().call_soon(zone.reply, "one")
        settled = run_lookup(in_turn("one"), zone, 1)
        assert isinstance(settled, Deferred)
        return await settled

    assert asyncio.run(handler()) == [YES]


def test_a_lookup_that_nobody_waits_for_ends() -> None:
    zone, ends = Later(), list[str]()
    settled = run_lookup(careful(ends, "one", "two"), zone, 1)
    assert isinstance(settled, Deferred)
    settled.cancel()
    assert (ends, zone.cancelled) == (["closed"], ["one"])
    zone.reply("one")
    assert zone.waiting == {}


def test_of_those_together_too() -> None:
    zone, ends = Later(), list[str]()
    lookups = [careful(ends, "one"), careful(ends), careful(ends, "two", "three")]
    settled = run_lookup(gather(lookups), zone, 1)
    assert isinstance(settled, Deferred)
    zone.reply("two")
    settled.cancel()
    assert (ends, zone.cancelled) == (["closed"] * 3, ["one", "three"])


def test_a_task_that_is_cancelled_cancels_the_lookup() -> None:
    zone, ends = Later(), list[str]()

    async def cancel() -> None:
        settled = run_lookup(careful(ends, "one"), zone, 1)
        assert isinstance(settled, Deferred)

        async def handler() -> Any:
            return await settled

        task = asyncio.create_task(handler())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancel())
    assert ends == ["closed"]


def test_what_is_raised_when_a_reply_comes_is_the_end() -> None:
    def broken() -> Lookup[None]:
        yield [a("one")]
        sys.exit(3)

    zone = Later()
    settled = run_lookup(broken(), zone, 1)
    zone.reply("one")
    with pytest.raises(SystemExit):
        end_of(settled)


def test_more_steps_than_python_has_calls() -> None:
    settled = run_lookup(in_turn(*["one"] * 5000), Zone(ZONE, cached=False), 1)
    assert end_of(settled) == [YES] * 5000


@pytest.mark.parametrize("cached", [True, False])
def test_together(cached: bool) -> None:
    zone = Zone(ZONE, cached=cached)
    lookups = [in_turn("one", "two"), in_turn(), at_once("two", "one")]
    found = run_lookup(gather(lookups), zone, 1)
    if not cached:
        found = end_of(found)
    assert found == [[YES, Failed("timeout")], [], [Failed("timeout"), YES]]


def test_together_of_nothing() -> None:
    assert run_lookup(gather([]), Zone(ZONE), 1) == []


def test_one_that_waits_holds_up_no_other() -> None:
    """Else whoever can make one question wait would keep the others from being asked."""
    zone = Later()
    settled = run_lookup(gather([in_turn("slow"), in_turn("one", "two", "three")]), zone, 1)
    for name in ("one", "two", "three", "slow"):
        zone.reply(name)
    assert end_of(settled) == [[NONE], [YES, Failed("timeout"), NONE]]


def test_one_that_asks_nothing_keeps_its_result() -> None:
    zone = Later()
    settled = run_lookup(gather([in_turn(), in_turn("one")]), zone, 1)
    zone.reply("one")
    assert end_of(settled) == [[], [YES]]


def test_some_are_known_and_some_are_not() -> None:
    found = run_lookup(gather([in_turn("one"), in_turn("one", "two")]), Half([]), 1)
    assert end_of(found) == [[YES], [YES, Failed("timeout")]]


def test_if_one_breaks_the_others_come_to_their_ends() -> None:
    ends = []

    def two_steps() -> Lookup[None]:
        yield [a("one")]
        yield [a("one")]
        ends.append("ended")

    def broken() -> Lookup[None]:
        yield [a("two")]
        raise KeyError

    with pytest.raises(KeyError):
        run_lookup(gather([broken()]), Zone(ZONE), 1)
    settled = run_lookup(gather([two_steps(), broken(), two_steps()]), Zone(ZONE, cached=False), 1)
    with pytest.raises(KeyError):
        end_of(settled)
    assert ends == ["ended"] * 2
