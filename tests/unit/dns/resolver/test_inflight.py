"""Questions in flight: each asked once, so many at a time, and none for ever."""

import asyncio

import pytest

from opensmtpd.dns import Failed, Found, Question, Reply
from opensmtpd.dns.resolver import inflight
from opensmtpd.errors import LocalError
from unit.support.dns_lab import A, Lab

THREE = [Question(name, A) for name in ("example.org", "alias.example.org", "five.example.org")]


def test_questions_under_way_are_shared(lab: Lab) -> None:
    lab.server.delay = 0.2

    async def job() -> list[list[Reply]]:
        question = Question("once.example.org", A)
        waits = [asyncio.create_task(lab.ask(question)) for _ in range(5)]
        await asyncio.sleep(0.05)
        waits.pop(0).cancel()  # whoever asked first
        return await asyncio.gather(*waits)

    assert lab.run(job) == [[Found(("192.0.2.9",))]] * 4
    assert lab.asked() == ["once.example.org"]


def test_the_same_question_twice_in_one_round(lab: Lab) -> None:
    question = Question("example.org", A)
    assert len(set(lab.run(lambda: lab.ask(question, question)))) == 1
    assert lab.asked() == ["example.org"]


def test_more_than_name_servers_are_asked_at_a_time_wait_their_turn(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflight, "IN_FLIGHT", 2)
    lab.server.delay = 0.1

    async def job() -> tuple[int, int, list[Reply]]:
        ask = asyncio.create_task(lab.ask(*THREE))
        while len(lab.asked()) < 2:
            await asyncio.sleep(0.01)
        return len(lab.asked()), len(lab.resolver._questions), await ask

    first, given, replies = lab.run(job)
    assert (first, given) == (2, 2)
    assert [type(reply) for reply in replies] == [Found] * 3


def test_there_is_room_for_so_many(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight, "WAITING", 2)
    replies = lab.run(lambda: lab.ask(*THREE))
    assert replies.count(Failed("too many questions at a time", ours=True)) == 1
    assert [type(reply) for reply in replies].count(Found) == 2


@pytest.mark.parametrize("name", ["", "a..b", "+" * 64, "\u20ac.example", "\udcff.example"])
def test_what_is_no_name_is_asked_of_nobody(lab: Lab, name: str) -> None:
    assert lab.one(name, A) == inflight.NO_NAME
    assert lab.pool.open == {}
    assert lab.pool.service is None


def test_so_many_wait_for_one_question(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight, "SHARED", 2)
    lab.server.delay = 0.2

    async def job() -> list[list[Reply]]:
        return await asyncio.gather(*(lab.ask(THREE[0]) for _ in range(3)))

    found = [Found(("192.0.2.1", "192.0.2.2"))]
    assert lab.run(job) == [found, found, [inflight.FULL]]


def test_who_is_to_blame_for_no_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a name server that was asked a moment ago, or not at all yet."""
    monkeypatch.setattr(inflight, "IN_FLIGHT", 1)
    lab.renew(patience=0.3)
    dead, waiting = Question("silent.example.org", A), Question("example.org", A)

    async def job() -> list[list[Reply]]:
        asyncio.get_running_loop().create_task(lab.ask(dead))  # it has the only place
        await asyncio.sleep(0)
        return [await lab.ask(dead, waiting, within=each) for each in (0.01, 0.5)]

    ours, theirs = Failed("no answer in time", ours=True), Failed("no answer in time")
    assert lab.run(job) == [[ours, ours], [theirs, ours]]


def test_what_nobody_waits_for_any_more_is_not_asked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else those who come later would wait for all that those who have left wanted."""
    monkeypatch.setattr(inflight, "IN_FLIGHT", 1)
    lab.server.delay = 0.5

    async def job() -> tuple[int, list[Reply]]:
        gone = [asyncio.create_task(lab.ask(each)) for each in THREE[:2]]
        await asyncio.sleep(0.05)
        await lab.ask(THREE[2], within=0.05)
        for each in gone:
            each.cancel()
        await asyncio.wait(gone)
        left = len(lab.resolver._questions._waiting)
        return left, await lab.ask(Question("once.example.org", A))

    assert lab.run(job) == (0, [Found(("192.0.2.9",))])
    assert lab.asked() == ["example.org", "once.example.org"]


def test_a_reply_that_cannot_be_remembered_is_a_reply(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(lab.resolver._cache, "put", put)
    replies = lab.run(lambda: lab.ask(*THREE, within=5.0))
    assert [type(reply) for reply in replies] == [Found] * 3


@pytest.mark.parametrize("row", [None, [], [0, ["x"], 5, 0], [0, ["192.0.2.1"], -1.0, 0], b"x"])
def test_nonsense_of_the_process_is_a_failure_of_ours(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, row: object
) -> None:
    async def job() -> list[Reply]:
        await lab.ask(Question("once.example.org", A))
        monkeypatch.setattr(lab.service, "_answer", lambda number, *_: lab.link.reply(number, row))
        return await lab.ask(THREE[0])

    assert lab.run(job) == [Failed("the resolver answers nonsense", ours=True)]


def test_without_a_process_each_question_fails_at_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than Python has room for calls within calls."""

    async def job() -> list[Reply]:
        await lab.ask(Question("once.example.org", A))

        def fail(number: int, *_: object) -> None:
            lab.link.fail(number, LocalError("full"))

        monkeypatch.setattr(inflight, "IN_FLIGHT", 1)
        monkeypatch.setattr(lab.service, "_answer", fail)
        return await lab.ask(*(Question(f"n{number}.example.org", A) for number in range(5000)))

    assert set(lab.run(job)) == {Failed("the resolver does not answer", ours=True)}
