"""For how long the resolver remembers what a real name server said."""

import asyncio
import time

import pytest

from lab.peers.nameserver import lasting
from opensmtpd.dns import Absent, Found, Question, Reply
from opensmtpd.dns.resolver.cache import ABSENCE_MAX, FAILURE_TTL
from opensmtpd.dns.resolver.process import absences
from opensmtpd.dns.resolver.process.absences import SOON
from opensmtpd.dns.resolver.process.channel import NEW
from unit.support.dns_lab import PTR, A, Clock, Lab

NONE = Absent(nxdomain=True)


def test_an_answer_is_good_for_its_ttl(lab: Lab, clock: Clock) -> None:
    question = Question("five.example.org", A)
    assert lab.resolver.known([question]) is None
    lab.run(lambda: lab.ask(question))
    assert lab.resolver.known([question]) == [Found(("192.0.2.9",))]
    clock.ahead = 4.0
    assert lab.resolver.known([question, question]) == [Found(("192.0.2.9",))] * 2
    clock.ahead = 5.5
    assert lab.resolver.known([question]) is None


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
    while lab.service._absences._task:
        await asyncio.sleep(0.01)


def remembered(lab: Lab, question: Question) -> Reply | None:
    """What the resolver's process remembers, and would answer."""
    return lab.service._cache.get(question, time.monotonic())


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
    assert remembered(lab, question) == Absent(nxdomain=name != "a.short.example")
    clock.ahead = over
    assert remembered(lab, question) is None


def test_no_absence_is_remembered_for_long(lab: Lab, clock: Clock) -> None:
    lab.server.records = {("long.example", "SOA"): lasting(86400, "ns. root. 1 2 3 4 86400")}
    question = Question("a.long.example", A)
    lab.run(lambda: settled(lab, question))
    clock.ahead = ABSENCE_MAX - 1
    assert remembered(lab, question) == NONE
    clock.ahead = ABSENCE_MAX + 1
    assert remembered(lab, question) is None


def test_a_zone_is_asked_once(lab: Lab) -> None:
    questions = [Question(f"n{number}.x.example.org", A) for number in range(50)]
    lab.run(lambda: settled(lab, *questions))
    assert lab.asked("SOA") == ["example.org", "x.example.org"]
    assert [remembered(lab, question) for question in questions] == [NONE] * 50


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
    assert [remembered(lab, question) is not None for question in questions] == [
        True, False, True, False]  # fmt: skip


def test_that_there_is_no_zone_is_remembered_as_long(lab: Lab, clock: Clock) -> None:
    async def job() -> None:
        await settled(lab, Question("a.x.example.org", A))
        clock.ahead = 200.0
        await settled(lab, Question("b.x.example.org", A))

    lab.run(job)
    assert lab.asked("SOA").count("x.example.org") == 1


def test_only_so_many_wait_for_their_zones(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absences, "UNLEARNT", 2)
    questions = [Question(f"n.zone{number}.example", A) for number in range(5)]

    async def job() -> int:
        lab.server.delay = 0.2  # so that no zone is known before all have come
        await settled(lab, *questions)
        return len(lab.asked("SOA"))

    assert lab.run(job) == 2


def test_who_asks_before_the_zone_is_known_asks_again_soon(lab: Lab, clock: Clock) -> None:
    """Its last field is 30 seconds; an absence in general is remembered for 60."""
    question = Question("9.3.0.192.in-addr.arpa", PTR)
    lab.run(lambda: settled(lab, question))
    assert lab.resolver.known([question]) == [NONE]
    clock.ahead = SOON + 0.5
    assert lab.resolver.known([question]) is None
    count = len(lab.server.asked)
    assert lab.one(*question) == NONE
    assert len(lab.server.asked) == count  # the process knew
    clock.ahead = 28.0
    assert lab.resolver.known([question]) == [NONE]
    clock.ahead = 31.0
    assert lab.resolver.known([question]) is None
