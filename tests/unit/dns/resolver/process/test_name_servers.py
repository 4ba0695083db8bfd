"""The questions of the resolver's process: bounded in number and time, and each with one reply."""

import asyncio

import pytest

from opensmtpd.dns import Failed, Found, Question, Reply
from opensmtpd.dns.resolver.orders import ALIVE
from opensmtpd.dns.resolver.process import channel, name_servers
from unit.support.dns_lab import A, Lab

THREE = [Question(name, A) for name in ("example.org", "alias.example.org", "five.example.org")]


def test_there_is_room_for_so_many(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_servers, "ASKED_MAX", 2)
    replies = set(lab.run(lambda: lab.ask(*THREE)))
    assert Failed("too many questions at a time", ours=True) in replies
    assert len([reply for reply in replies if isinstance(reply, Found)]) >= 1


def test_a_question_that_c_ares_forgets_is_given_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The front asks again and again whether the process is alive."""
    monkeypatch.setattr(name_servers, "LIFE", 0.05)

    async def job() -> list[Reply]:
        waits = asyncio.create_task(lab.ask(Question("silent.example.org", A)))
        await asyncio.sleep(0.1)
        lab.pool.ask([ALIVE])
        return await waits

    assert lab.run(job) == [Failed("no answer")]


def test_no_channel_is_a_failure_of_ours(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(name_servers, "Ares", broken)
    assert lab.run(lambda: lab.ask(*THREE)) == [Failed("no resolver: OSError", ours=True)] * 3


def test_two_thousand_questions_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name server is a thread of this process, and slow where the machine has other work.
    monkeypatch.setattr(channel, "TIMEOUT", 8.0)
    lab.server.records = {("*.example.org", "A"): ["192.0.2.3"]}
    lab.server.delay = 0.5
    questions = [Question(f"n{number}.example.org", A) for number in range(2000)]
    replies = lab.run(lambda: lab.ask(*questions, within=20.0))
    assert set(replies) == {Found(("192.0.2.3",))}
    assert set(lab.asked()) == {question.name for question in questions}
