"""The resolver, asking a real name server on loopback."""

import asyncio
from collections.abc import Iterator
from importlib import import_module

import pytest

from lab.peers.nameserver import NameServer
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver import inflight
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.dns.servers import ServerAddress
from unit.support.dns_lab import AAAA, MX, PTR, RECORDS, TXT, A, Lab, port


@pytest.fixture
def lab() -> Iterator[Lab]:
    address = ("127.0.0.1", port())
    with NameServer(RECORDS, address) as server:
        yield Lab(server, address)


# --- replies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "reply"),
    [
        ("example.org", A, Found(("192.0.2.1", "192.0.2.2"))),
        ("example.org", AAAA, Found(("2001:db8::1",))),
        ("example.org", MX, Found(("a.example.org", "b.example.org"))),
        ("example.org", TXT, Found(("v=one and two", "\xff\n|"))),
        ("5.2.0.192.in-addr.arpa", PTR, Found(("one.example", "two.example"))),
        ("alias.example.org", A, Found(("192.0.2.1", "192.0.2.2"))),
        ("alias.example.org", PTR, Absent()),
        ("example.org", PTR, Absent()),
        ("none.example.org", A, Absent()),
        ("refused.example.org", A, Failed("DNS server returned general failure")),
    ],
)
def test_replies(lab: Lab, name: str, kind: RecordType, reply: Reply) -> None:
    assert lab.one(name, kind) == reply


def test_no_server_at_all() -> None:
    lab = Lab(NameServer(RECORDS), ("127.0.0.1", port()))
    reply = lab.one("example.org", A)
    assert isinstance(reply, Failed)
    assert reply.reason.isprintable()


# --- deadlines ------------------------------------------------------------------------------------


def test_what_is_not_answered_in_time_has_failed(lab: Lab) -> None:
    """Then c-ares has not given it up by far: its reply would be another."""
    questions = Question("silent.example.org", A), Question("example.org", A)
    assert lab.run(lambda: lab.ask(*questions, within=0.3)) == [
        Failed("no answer in time", ours=True),
        Found(("192.0.2.1", "192.0.2.2")),
    ]


def test_a_deadline_that_is_over(lab: Lab) -> None:
    """A later round of an lookup may begin too late."""
    assert lab.run(lambda: lab.ask(Question("silent.example.org", A), within=-1.0)) == [
        Failed("no answer in time", ours=True)
    ]


def test_a_late_answer_is_kept_for_others(lab: Lab) -> None:
    lab.server.delay = 0.3

    async def job() -> list[Reply] | None:
        assert await lab.ask(Question("example.org", A), within=0.01) == [
            Failed("no answer in time", ours=True)
        ]
        await lab.ask(Question("five.example.org", A))
        return lab.resolver.known([Question("example.org", A)])

    assert lab.run(job) == [Found(("192.0.2.1", "192.0.2.2"))]


# --- asking once ----------------------------------------------------------------------------------


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


def test_a_name_server_that_was_quick_may_take_its_time(lab: Lab) -> None:
    """c-ares would wait five times as long as it mostly had to: a quarter of a second."""
    lab.server.records = {("*.example.org", "A"): ["192.0.2.3"]}

    async def job() -> set[Reply]:
        await lab.ask(*(Question(f"quick{number}.example.org", A) for number in range(50)))
        lab.server.delay = 1.0
        return set(await lab.ask(*(Question(f"slow{n}.example.org", A) for n in range(100))))

    assert lab.run(job) == {Found(("192.0.2.3",))}


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


# --- name servers change --------------------------------------------------------------------------


def test_renewed_it_asks_whoever_there_is_now(lab: Lab) -> None:
    with NameServer({("new.example", "A"): ["192.0.2.7"]}, ("127.0.0.1", other := port())):

        async def job() -> list[Reply]:
            await lab.ask(Question("example.org", A))
            lab.resolver._in_flight._servers = [ServerAddress("127.0.0.1", other)]
            before = await lab.ask(Question("one.example", A))
            lab.resolver.reread_servers()
            return before + await lab.ask(Question("new.example", A), Question("example.org", A))

        assert lab.run(job) == [
            Absent(),
            Found(("192.0.2.7",)),
            Found(("192.0.2.1", "192.0.2.2")),
        ]
    assert "new.example" not in lab.asked()


# --- two thousand at once -------------------------------------------------------------------------


def test_two_thousand_questions_at_once(lab: Lab) -> None:
    lab.server.records = {("*.example.org", "A"): ["192.0.2.3"]}
    lab.server.delay = 0.5
    questions = [Question(f"n{number}.example.org", A) for number in range(2000)]
    replies = lab.run(lambda: lab.ask(*questions, within=20.0))
    assert set(replies) == {Found(("192.0.2.3",))}
    assert set(lab.asked()) == {question.name for question in questions}
