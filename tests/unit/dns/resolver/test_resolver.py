"""The resolver, asking a real name server on loopback."""

import asyncio

import pytest

from lab.peers.nameserver import NameServer
from opensmtpd._counters.counts import OWN
from opensmtpd.answer import Deferred
from opensmtpd.dns import (
    Absent,
    Failed,
    Found,
    Lookup,
    Question,
    RecordType,
    Reply,
    run_lookup,
)
from opensmtpd.dns.resolver import inflight
from opensmtpd.dns.resolver.process import direct
from unit.support.dns_lab import AAAA, MX, PTR, RECORDS, TXT, A, Lab, dribbling, port

# --- replies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "reply"),
    [
        ("example.org", A, Found(("192.0.2.1", "192.0.2.2"))),
        ("example.org", AAAA, Found(("2001:db8::1",))),
        ("example.org", MX, Found(("a.example.org", "a.example.org", "b.example.org"))),
        ("example.org", TXT, Found(("v=one and two", "\xff\n|"))),
        ("5.2.0.192.in-addr.arpa", PTR, Found(("one.example", "two.example"))),
        ("alias.example.org", A, Found(("192.0.2.1", "192.0.2.2"))),
        ("alias.example.org", PTR, Absent()),
        ("example.org", PTR, Absent()),
        ("none.example.org", A, Absent(nxdomain=True)),
        ("0.2.192.in-addr.arpa", A, Absent(nxdomain=True)),
        ("2.0.192.in-addr.arpa", A, Absent()),  # there are names below it
        ("refused.example.org", A, Failed("DNS server returned general failure")),
    ],
)
def test_replies(lab: Lab, name: str, kind: RecordType, reply: Reply) -> None:
    assert lab.one(name, kind) == reply


def test_questions_and_replies_are_counted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OWN, "values", [0] * len(OWN.index))
    for name in ("example.org", "example.org", "none.example.org", "refused.example.org"):
        lab.one(name, A)
    counted = {cell[1:]: OWN.values[place] for cell, place in OWN.index.items() if "dns" in cell[0]}
    assert counted == {("hit",): 1, ("miss",): 3, ("found",): 1, ("absent",): 1, ("failed",): 1}


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
    """A later round of an lookup may begin too late: nobody is asked for it."""
    late = Failed("no answer in time", ours=True)
    assert lab.run(lambda: lab.ask(Question("silent.example.org", A), within=-1.0)) == [late]
    lab.one("example.org", A)
    assert lab.asked() == ["example.org"]
    assert lab.one("example.org", A, within=-1.0) == Found(("192.0.2.1", "192.0.2.2"))


def test_a_dead_name_server_costs_a_lookup_one_deadline(lab: Lab) -> None:
    """Each of its steps would have to wait; those behind the first ask nobody."""
    lab.server.dead = True

    def steps() -> Lookup[list[Reply]]:
        found: list[Reply] = []
        for number in range(50):
            found += yield [Question(f"{each}{number}.example.org", A) for each in ("a", "b+")]
        return found

    async def job() -> list[Reply]:
        found = run_lookup(steps(), lab.resolver, 0.3)
        assert isinstance(found, Deferred)
        return await found

    assert set(lab.run(job)) == {Failed("no answer in time", ours=True)}
    assert set(lab.asked()) == {"a0.example.org", "b+0.example.org"}


@pytest.mark.parametrize("name", ["slow.example", "slow+.example"])
def test_one_that_dribbles_costs_no_more(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Its answers come over TCP, an octet now and then, and never end."""
    with dribbling() as (address, connections):
        lab = Lab(NameServer(RECORDS), address)
        monkeypatch.setattr(direct, "WAITS", (0.3, 0.3))

        async def job() -> list[Reply]:
            found = await lab.ask(Question(name, A), within=0.5)
            return found + await lab.ask(Question("other.example", A), within=-1.0)

        assert lab.run(job) == [Failed("no answer in time", ours=True)] * 2
        assert connections


# --- what is begun before somebody asks -----------------------------------------------------------


def test_what_is_begun_is_remembered(lab: Lab) -> None:
    names = ("example.org", "none.example.org", "example.org", "refused.example.org")
    questions = [Question(name, A) for name in names]

    async def job() -> list[Reply]:
        lab.resolver.start(questions)
        while (replies := lab.resolver.known(questions)) is None:
            await asyncio.sleep(0.01)
        lab.resolver.start(questions)  # all is known
        return replies

    found = Found(("192.0.2.1", "192.0.2.2"))
    failed = Failed("DNS server returned general failure")
    assert lab.run(job) == [found, Absent(nxdomain=True), found, failed]
    assert sorted(lab.asked()) == sorted(set(names))


def test_who_asks_later_waits_for_the_question_under_way(lab: Lab) -> None:
    lab.server.delay = 0.3
    question = Question("once.example.org", A)  # it is not remembered

    async def job() -> list[Reply]:
        lab.resolver.start([question])
        await asyncio.sleep(0.05)
        return await lab.ask(question)

    assert lab.run(job) == [Found(("192.0.2.9",))]
    assert lab.asked() == ["once.example.org"]


def test_no_more_are_begun_than_leave_room_for_others(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflight, "IN_FLIGHT", 4)
    monkeypatch.setattr(inflight, "STARTED", 2)
    lab.server.dead = True

    async def job() -> tuple[int, int]:
        lab.resolver.start([Question(f"n{number}.example.org", A) for number in range(9)])
        begun = len(lab.resolver._questions)
        await lab.ask(*(Question(f"m{number}.example.org", A) for number in range(9)), within=0.1)
        lab.resolver.start([Question("late.example.org", A), Question("a..b", A)])
        assert not lab.resolver._questions._waiting  # those that nobody waits for are gone
        return begun, len(lab.resolver._questions)

    assert lab.run(job) == (2, 4)


def test_a_late_answer_is_kept_for_others(lab: Lab) -> None:
    lab.server.delay = 0.3

    async def job() -> list[Reply] | None:
        assert await lab.ask(Question("example.org", A), within=0.01) == [
            Failed("no answer in time", ours=True)
        ]
        await lab.ask(Question("five.example.org", A))
        return lab.resolver.known([Question("example.org", A)])

    assert lab.run(job) == [Found(("192.0.2.1", "192.0.2.2"))]
