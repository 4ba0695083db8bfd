"""The resolver, asking a real name server on loopback."""

import asyncio
import time
from collections.abc import Iterator
from importlib import import_module

import dns.message
import dns.name
import pytest

from lab.nameserver import NameServer, add, lasting, response_to
from opensmtpd.dns import Absent, Failed, Found, Kind, Question, Reply, flights, resolver
from opensmtpd.dns.ares import NEW
from opensmtpd.dns.cache import ABSENCE_MAX, FAILURE_TTL
from opensmtpd.dns.resolver import Resolver
from opensmtpd.dns.servers import Server
from unit.dns_lab import AAAA, MX, PTR, RECORDS, TXT, A, Lab, port


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
def test_replies(lab: Lab, name: str, kind: Kind, reply: Reply) -> None:
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
    """A later round of an inquiry may begin too late."""
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
    monkeypatch.setattr(flights, "IN_FLIGHT", 2)
    lab.server.delay = 0.1

    async def job() -> tuple[list[str], list[Reply]]:
        ask = asyncio.create_task(lab.ask(*THREE))
        while not lab.asked():
            await asyncio.sleep(0.01)
        return lab.asked(), await ask

    first, replies = lab.run(job)
    assert first == ["example.org", "alias.example.org"]
    assert [type(reply) for reply in replies] == [Found] * 3


def test_there_is_room_for_so_many(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "WAITING", 2)
    replies = lab.run(lambda: lab.ask(*THREE))
    assert replies[2] == Failed("too many questions at a time", ours=True)
    assert [type(reply) for reply in replies[:2]] == [Found, Found]


def test_who_is_to_blame_for_no_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a name server that was asked a moment ago, or not at all yet."""
    monkeypatch.setattr(flights, "IN_FLIGHT", 1)
    monkeypatch.setattr(flights, "PATIENCE", 0.2)
    dead, waiting = Question("silent.example.org", A), Question("example.org", A)

    async def job() -> list[list[Reply]]:
        return [await lab.ask(dead, waiting, within=each) for each in (0.01, 0.3)]

    ours, theirs = Failed("no answer in time", ours=True), Failed("no answer in time")
    assert lab.run(job) == [[ours, ours], [theirs, ours]]


def test_a_question_that_c_ares_forgets_is_given_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "LIFE", 0.05)

    async def job() -> list[Reply]:
        waits = asyncio.create_task(lab.ask(Question("silent.example.org", A)))
        await asyncio.sleep(0.1)
        await lab.ask(Question("example.org", A))
        return await waits

    assert lab.run(job) == [Failed("no answer")]


def test_no_channel_is_a_failure_of_ours(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(import_module("opensmtpd.dns.ares"), "Ares", broken)
    assert lab.run(lambda: lab.ask(*THREE)) == [Failed("no resolver: OSError", ours=True)] * 3


def chain(request: dns.message.QueryMessage) -> bytes:
    """Answer with an alias for five seconds, and with an address for fifty."""
    response = response_to(request)
    target = dns.name.from_text("b.example.")
    add(response, request.question[0].name, "CNAME", ["b.example."], 5)
    add(response, target, "A", ["192.0.2.1"], 50)
    return response.to_wire()


# --- remembering ----------------------------------------------------------------------------------


class Clock:
    """Time that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        real = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: real() + self.ahead)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_an_answer_is_good_for_its_ttl(lab: Lab, clock: Clock) -> None:
    question = Question("five.example.org", A)
    assert lab.resolver.known([question]) is None
    lab.run(lambda: lab.ask(question))
    assert lab.resolver.known([question]) == [Found(("192.0.2.9",))]
    clock.ahead = 4.0
    assert lab.resolver.known([question, question]) == [Found(("192.0.2.9",))] * 2
    clock.ahead = 5.5
    assert lab.resolver.known([question]) is None


def test_c_ares_has_no_memory_of_its_own(
    lab: Lab, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep everything for an hour: 64 KB of answer are half a megabyte there."""
    monkeypatch.setattr(flights, "ANSWERS_MAX", 2)
    question, other = Question("five.example.org", A), Question("example.org", A)

    async def job() -> list[Reply]:
        await lab.ask(question, other)
        clock.ahead = 6.0
        return await lab.ask(question)

    assert lab.run(job) == [Found(("192.0.2.9",))]
    assert lab.asked() == ["five.example.org", "example.org", "five.example.org"]


def test_an_answer_without_a_ttl_is_not_remembered(lab: Lab) -> None:
    lab.one("once.example.org", A)
    assert lab.resolver.known([Question("once.example.org", A)]) is None


def test_a_failure_is_remembered_briefly(lab: Lab, clock: Clock) -> None:
    lab.one("refused.example.org", A)
    question = Question("refused.example.org", A)
    assert lab.resolver.known([question]) is not None
    clock.ahead = FAILURE_TTL + 0.5
    assert lab.resolver.known([question]) is None


async def settled(lab: Lab, *questions: Question) -> None:
    """Ask, and wait until nothing is left to be learnt."""
    await lab.ask(*questions)
    while lab.resolver._learning:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("name", "good", "over", "zones"),
    [
        ("none.example.org", 299.0, 300.5, ["example.org"]),
        ("a.b.none.example.org", 299.0, 300.5,
         ["example.org", "none.example.org"]),
        # pycares 4 does not show the TTL of a SOA, only what stands in it.
        ("a.short.example", 2.0, 3.5 if NEW else 300.5, ["short.example"]),
        ("9.2.0.192.in-addr.arpa", 599.0, 600.5, ["2.0.192.in-addr.arpa", "0.192.in-addr.arpa"]),
        ("none.unknown.example", 59.0, 60.5, ["unknown.example"]),
        ("none", 59.0, 60.5, []),
    ],
)  # fmt: skip
def test_an_absence_is_remembered_as_long_as_its_zone_says(
    lab: Lab, clock: Clock, name: str, good: float, over: float, zones: list[str]
) -> None:
    """RFC 2308 section 5: the smaller of the SOA's own TTL and its last field."""
    question = Question(name, PTR if name.endswith(".arpa") else A)
    lab.run(lambda: settled(lab, question))
    assert lab.asked("SOA") == zones
    clock.ahead = good
    assert lab.resolver.known([question]) == [Absent()]
    clock.ahead = over
    assert lab.resolver.known([question]) is None


def test_no_absence_is_remembered_for_long(lab: Lab, clock: Clock) -> None:
    lab.server.records = {("long.example", "SOA"): lasting(86400, "ns. root. 1 2 3 4 86400")}
    question = Question("a.long.example", A)
    lab.run(lambda: settled(lab, question))
    clock.ahead = ABSENCE_MAX - 1
    assert lab.resolver.known([question]) == [Absent()]
    clock.ahead = ABSENCE_MAX + 1
    assert lab.resolver.known([question]) is None


def test_a_zone_is_asked_once(lab: Lab) -> None:
    questions = [Question(f"n{number}.x.example.org", A) for number in range(50)]
    lab.run(lambda: settled(lab, *questions))
    assert lab.asked("SOA") == ["example.org", "x.example.org"]
    assert lab.resolver.known(questions) == [Absent()] * 50


def test_a_dns_list_is_asked_for_little_more_than_its_name(lab: Lab) -> None:
    questions = [Question(f"{number}.2.0.192.example.org", A) for number in range(50)]
    lab.run(lambda: settled(lab, *questions))
    assert lab.asked("SOA") == ["example.org", "192.example.org"]


def test_what_is_learnt_of_one_zone_is_not_said_of_another(lab: Lab, clock: Clock) -> None:
    names = ["a.example.org", "a.sub.example.org", "9.9.0.192.in-addr.arpa",
             "9.3.0.192.in-addr.arpa"]  # fmt: skip
    questions = [Question(name, A) for name in names]

    async def job() -> None:
        for question in questions:
            await settled(lab, question)

    lab.run(job)
    clock.ahead = 31.0
    assert [lab.resolver.known([question]) is not None for question in questions] == [
        True, False, True, False]  # fmt: skip


def test_that_there_is_no_zone_is_remembered_as_long(lab: Lab, clock: Clock) -> None:
    async def job() -> None:
        await settled(lab, Question("a.x.example.org", A))
        clock.ahead = 200.0
        await settled(lab, Question("b.x.example.org", A))

    lab.run(job)
    assert lab.asked("SOA").count("x.example.org") == 1


def test_only_so_many_wait_for_their_zones(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "UNLEARNT", 2)
    lab.resolver = Resolver(lab.servers)
    questions = [Question(f"n.zone{number}.example", A) for number in range(5)]

    async def job() -> int:
        lab.resolver._learning = True  # so that nobody takes them
        await lab.ask(*questions)
        lab.resolver._learning = False
        return len(lab.resolver._unlearnt)

    assert lab.run(job) == 2


def test_an_alias_ends_sooner_than_what_it_leads_to(lab: Lab, clock: Clock) -> None:
    lab.server.records = {
        ("a.example", "A"): chain,
    }
    lab.one("a.example", A)
    question = Question("a.example", A)
    assert lab.resolver.known([question]) == [Found(("192.0.2.1",))]
    clock.ahead = 6.0
    assert lab.resolver.known([question]) is None


# --- name servers change --------------------------------------------------------------------------


def test_renewed_it_asks_whoever_there_is_now(lab: Lab) -> None:
    with NameServer({("new.example", "A"): ["192.0.2.7"]}, ("127.0.0.1", other := port())):

        async def job() -> list[Reply]:
            await lab.ask(Question("example.org", A))
            lab.resolver._flights._servers = [Server("127.0.0.1", other)]
            before = await lab.ask(Question("one.example", A))
            lab.resolver.renew()
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
