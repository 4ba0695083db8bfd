"""Questions in flight: each asked once, so many at a time, and none for ever."""

import asyncio
from importlib import import_module

import pytest

from opensmtpd.dns import Failed, Found, Question, Reply
from opensmtpd.dns.resolver import inflight
from opensmtpd.dns.resolver.resolver import Resolver
from unit.support.dns_lab import A, Lab


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


THREE = [Question(name, A) for name in ("example.org", "alias.example.org", "five.example.org")]


def test_more_than_name_servers_are_asked_at_a_time_wait_their_turn(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflight, "IN_FLIGHT", 2)
    lab.server.delay = 0.1

    async def job() -> tuple[list[str], list[Reply]]:
        ask = asyncio.create_task(lab.ask(*THREE))
        while len(lab.asked()) < 2:
            await asyncio.sleep(0.01)
        return lab.asked(), await ask

    first, replies = lab.run(job)
    assert first == ["example.org", "alias.example.org"]
    assert [type(reply) for reply in replies] == [Found] * 3


def test_there_is_room_for_so_many(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight, "WAITING", 2)
    replies = lab.run(lambda: lab.ask(*THREE))
    assert replies[2] == Failed("too many questions at a time", ours=True)
    assert [type(reply) for reply in replies[:2]] == [Found, Found]


def test_who_is_to_blame_for_no_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a name server that was asked a moment ago, or not at all yet."""
    monkeypatch.setattr(inflight, "IN_FLIGHT", 1)
    lab.resolver = Resolver(lab.servers, patience=0.2)
    dead, waiting = Question("silent.example.org", A), Question("example.org", A)

    async def job() -> list[list[Reply]]:
        return [await lab.ask(dead, waiting, within=each) for each in (0.01, 0.3)]

    ours, theirs = Failed("no answer in time", ours=True), Failed("no answer in time")
    assert lab.run(job) == [[ours, ours], [theirs, ours]]


def test_what_nobody_waits_for_any_more_is_not_asked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else those who come later would wait for all that those who have left wanted."""
    monkeypatch.setattr(inflight, "IN_FLIGHT", 1)
    monkeypatch.setattr(inflight, "LIFE", 0.3)
    silent = [Question("silent.example.org", A), *THREE]

    async def job() -> list[Reply]:
        await lab.ask(*silent, within=0.05)
        await asyncio.sleep(0.3)
        return await lab.ask(Question("once.example.org", A))

    assert lab.run(job) == [Found(("192.0.2.9",))]
    assert lab.asked() == ["silent.example.org", "once.example.org"]


def test_a_question_that_c_ares_forgets_is_given_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflight, "LIFE", 0.05)

    async def job() -> list[Reply]:
        waits = asyncio.create_task(lab.ask(Question("silent.example.org", A)))
        await asyncio.sleep(0.1)
        await lab.ask(Question("example.org", A))
        return await waits

    assert lab.run(job) == [Failed("no answer")]


def test_no_channel_is_a_failure_of_ours(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(import_module("opensmtpd.dns.resolver.channel"), "Ares", broken)
    assert lab.run(lambda: lab.ask(*THREE)) == [Failed("no resolver: OSError", ours=True)] * 3


def test_two_thousand_questions_at_once(lab: Lab) -> None:
    lab.server.records = {("*.example.org", "A"): ["192.0.2.3"]}
    lab.server.delay = 0.5
    questions = [Question(f"n{number}.example.org", A) for number in range(2000)]
    replies = lab.run(lambda: lab.ask(*questions, within=20.0))
    assert set(replies) == {Found(("192.0.2.3",))}
    assert set(lab.asked()) == {question.name for question in questions}


def test_a_reply_that_cannot_be_remembered_is_a_reply(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(lab.resolver._cache, "put", put)
    replies = lab.run(lambda: lab.ask(*THREE, within=5.0))
    assert [type(reply) for reply in replies] == [Found] * 3
