"""Requests are answered in their order, each in its time, and only once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from opensmtpd.errors import HandlerTimeout, VersionError
from unit.support.handlers import WAYS, explode
from unit.support.lookups import (
    CUTS,
    ID,
    REQUESTS,
    Acts,
    Rows,
    SlowRows,
    Talk,
    answer,
    check,
    fetch,
    lookup,
    update,
)

BOTH = pytest.mark.parametrize("kind", [Rows, SlowRows], ids=["plain", "async"])
ONE, TWO, THREE = b"00000001", b"00000002", b"00000003"


# --- requests sent at once ------------------------------------------------------------------------


@CUTS
@pytest.mark.parametrize("ways", [["plain"] * 5, ["async"] * 5, list(WAYS) * 2, ["offload"] * 5])
def test_answers_come_in_the_order_of_the_requests(ways: list[str], size: int) -> None:
    values = iter(enumerate(ways))

    def act() -> Any:
        number, way = next(values)
        return WAYS[way](lambda: f"value {number}")

    talk = Talk(Acts(act))
    ids = [b"%08x" % number for number in range(5)]
    said = talk.say(*(lookup(id=id) for id in ids), size=size) + talk.finish_all()
    assert said == b"".join(
        answer(b"found|value %d" % number, id=id) for number, id in enumerate(ids)
    )


def test_one_thing_is_done_at_a_time() -> None:
    talk = Talk(SlowRows("alice"))
    assert talk.say(lookup(id=ONE), update(TWO), lookup(b"bob", id=THREE)) == b""
    job = talk.job()
    assert talk.protocol.busy
    assert talk.say(lookup(id=ID)) == b""
    assert talk.finish(job) == answer(b"found|found it", id=ONE) + answer(b"ok", b"update", TWO)
    assert talk.finish(talk.job()) == answer(b"not-found", id=THREE)
    assert talk.finish(talk.job()) == answer(b"found|found it")
    assert not talk.protocol.busy


class Together(Rows):
    """Notes what it is asked together."""

    def snapshot(self) -> AbstractContextManager[object]:
        return self.noted()

    @contextmanager
    def noted(self) -> Iterator[None]:
        self.asked.append("(")
        yield
        self.asked.append(")")


def test_what_was_sent_at_once_is_asked_together() -> None:
    talk = Talk(table := Together("alice"))
    table.asked.clear()
    talk.say(lookup(), lookup(b"bob"), lookup(b"carol"))
    assert table.asked == ["(", "alice", "bob", "carol", ")"]


def test_what_was_sent_alone_is_asked_alone() -> None:
    talk = Talk(table := Together("alice"))
    table.asked.clear()
    talk.say(lookup())
    talk.say(lookup(b"bob")[:20])
    talk.say(lookup(b"bob")[20:])
    assert table.asked == ["alice", "bob"]


@pytest.mark.parametrize(
    "error", [OSError(), SystemExit(0), HandlerTimeout(), KeyboardInterrupt(), VersionError()]
)
@pytest.mark.parametrize("place", ["call", "enter", "exit"])
def test_together_that_fails(place: str, error: BaseException) -> None:
    class Fails(Rows):
        bad = False

        def snapshot(self) -> AbstractContextManager[object]:
            if self.bad and place == "call":
                raise error
            return self.around()

        @contextmanager
        def around(self) -> Iterator[None]:
            if self.bad and place == "enter":
                raise error
            yield
            if self.bad and place == "exit":
                raise error

    talk = Talk(table := Fails("alice"))
    table.bad = True
    assert talk.say(lookup(id=ONE), check(id=TWO), lookup(b"bob", id=THREE)) == (
        answer(b"found|found it", id=ONE)
        + answer(b"found", b"check", TWO)
        + answer(b"not-found", id=THREE)
    )
    [line] = talk.logged
    assert line.startswith(f"snapshot-failed error={type(error).__name__}")
    assert talk.say(lookup()) == answer(b"found|found it")


# --- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["async", "offload"])
class TestLater:
    def talk(self, way: str, act: Callable[[], Any] = lambda: "x") -> Talk:
        return Talk(Acts(lambda: WAYS[way](act)))

    def test_nothing_is_answered_before(self, way: str) -> None:
        talk = self.talk(way)
        assert talk.say(lookup()) == b""
        assert talk.finish(talk.job()) == answer(b"found|x")
        assert talk.protocol.dispatcher.next_deadline() is None

    @pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
    @pytest.mark.parametrize("verb", REQUESTS)
    def test_late(self, way: str, verb: str) -> None:
        talk = self.talk(way)
        talk.say(REQUESTS[verb], now=7.0)
        job = talk.job()
        assert talk.protocol.dispatcher.next_deadline() == 12.0
        talk.protocol.dispatcher.expire(11.9)
        assert talk.protocol.data_to_send() == b""
        talk.protocol.dispatcher.expire(12.0)
        assert talk.protocol.data_to_send() == answer(b"error|no answer within 5 s", verb.encode())
        assert job.cancelled
        assert talk.protocol.dispatcher.next_deadline() is None
        [line] = talk.logged
        assert line.startswith(f"{verb}-failed table=aliases ")
        assert line.endswith(' error=HandlerTimeout reason="no answer within 5 s"')

    def test_resolved_after_it_was_late(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(fetch())
        job = talk.job()
        talk.protocol.dispatcher.expire(5.0)
        assert talk.protocol.data_to_send() == answer(b"error|no answer within 5 s", b"fetch")
        talk.protocol.dispatcher.resolve(job, "too late")
        talk.protocol.dispatcher.fail(job, ValueError())
        talk.protocol.dispatcher.expire(99.0)
        assert talk.protocol.data_to_send() == b""
        assert talk.say(fetch(id=TWO)) == b""
        talk.protocol.dispatcher.resolve(job, "too late for another")
        assert talk.protocol.data_to_send() == b""
        assert talk.finish(talk.job()) == answer(b"found|x", b"fetch", TWO)
        assert len(talk.logged) == 1

    def test_resolved_twice(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(fetch())
        job = talk.job()
        job.cancel()
        talk.protocol.dispatcher.resolve(job, "one")
        talk.protocol.dispatcher.resolve(job, "two")
        talk.protocol.dispatcher.fail(job, ValueError())
        talk.protocol.dispatcher.expire(99.0)
        assert talk.protocol.data_to_send() == answer(b"found|one", b"fetch")
        assert talk.logged == []

    def test_what_waits_behind_the_late_one_is_served(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(fetch(id=ONE), fetch(id=TWO))
        talk.job()
        talk.protocol.dispatcher.expire(5.0)
        assert talk.protocol.data_to_send() == answer(b"error|no answer within 5 s", b"fetch", ONE)
        assert talk.protocol.dispatcher.next_deadline() == 10.0
        assert talk.finish(talk.job()) == answer(b"found|x", b"fetch", TWO)


# --- the watchdog ---------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [lambda: "x", lambda: explode(ValueError()), lambda: ""])
def test_the_watchdog_cannot_strike_once_the_call_has_ended(act: Callable[[], Any]) -> None:
    """Else it would answer the same request twice, or end us."""
    inside: list[str | None] = []

    class Answers(list[bytes]):
        def append(self, line: bytes) -> None:
            inside.append(talk.protocol.dispatcher.running)
            super().append(line)

    def logged(event: str, session: str | None = None, **fields: object) -> None:
        inside.append(talk.protocol.dispatcher.running)

    running: list[str | None] = []

    def acting() -> Any:
        running.append(talk.protocol.dispatcher.running)
        return act()

    talk = Talk(Acts(acting))
    talk.protocol._out = Answers()
    talk.protocol._log = logged
    assert talk.say(lookup(service=b"string")).startswith(b"lookup-result|0c7d9dc5|")
    assert running == ["lookup"]
    assert set(inside) == {None}


@pytest.mark.parametrize("verb", REQUESTS)
def test_each_call_can_be_told_from_the_one_before(verb: str) -> None:
    seen: list[tuple[str | None, int]] = []

    def act() -> None:
        seen.append((talk.protocol.dispatcher.running, talk.protocol.dispatcher.count))

    talk = Talk(Acts(act))
    talk.say(REQUESTS[verb])
    talk.say(REQUESTS[verb])
    assert [name for name, _ in seen] == [verb, verb]
    assert seen[0][1] < seen[1][1]
    assert talk.protocol.dispatcher.running is None
