"""For how long the resolver remembers what a real name server said."""

import asyncio
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import dns.message
import dns.name
import pytest

from lab.peers.nameserver import NameServer, add, lasting, response_to
from opensmtpd.dns import Absent, Found, Question, Reply
from opensmtpd.dns.resolver import inflight, resolver
from opensmtpd.dns.resolver.cache import ABSENCE_MAX, FAILURE_TTL
from opensmtpd.dns.resolver.channel import NEW
from opensmtpd.dns.resolver.resolver import Resolver
from unit.support.dns_lab import PTR, RECORDS, A, Lab, port


@pytest.fixture
def lab() -> Iterator[Lab]:
    address = ("127.0.0.1", port())
    with NameServer(RECORDS, address) as server:
        yield Lab(server, address)


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
    monkeypatch.setattr(inflight, "ANSWERS_MAX", 2)
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


def test_what_c_ares_forgets_is_not_whom_to_ask(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name server of resolv.conf may have a port, which aiodns does not show."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver [127.0.0.1]:5399\n")
    ares = import_module("opensmtpd.dns.resolver.channel")
    monkeypatch.setattr(ares, "RESOLV_CONF", str(conf))

    async def job() -> tuple[list[str], list[str]]:
        channels = ares.Ares(())
        quick = channels._quick
        quick.nameservers = ["127.0.0.1:5399"] if NEW else ["127.0.0.1"]
        before = quick._channel.servers
        channels.forget()
        return before, quick._channel.servers

    before, after = asyncio.run(job())
    assert before == after == (["127.0.0.1:5399"] if NEW else ["127.0.0.1"])
