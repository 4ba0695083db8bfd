"""The channels of c-ares: their patience, what they keep, and whom they ask."""

import asyncio
from importlib import import_module
from pathlib import Path

import dns.message
import dns.name
import pytest

from lab.peers.nameserver import NameServer, add, response_to
from opensmtpd.dns import Absent, Found, Question, Reply
from opensmtpd.dns.resolver.process import name_servers
from opensmtpd.dns.resolver.process.channel import NEW
from opensmtpd.dns.servers import ServerAddress
from unit.support.dns_lab import A, Clock, Lab, port


def test_a_name_server_that_was_quick_may_take_its_time(lab: Lab) -> None:
    """c-ares would wait five times as long as it mostly had to: a quarter of a second."""
    lab.server.records = {("*.example.org", "A"): ["192.0.2.3"]}

    async def job() -> set[Reply]:
        await lab.ask(*(Question(f"quick{number}.example.org", A) for number in range(50)))
        lab.server.delay = 1.0
        return set(await lab.ask(*(Question(f"slow{n}.example.org", A) for n in range(100))))

    assert lab.run(job) == {Found(("192.0.2.3",))}


def test_renewed_it_asks_whoever_there_is_now(lab: Lab) -> None:
    with NameServer({("new.example", "A"): ["192.0.2.7"]}, ("127.0.0.1", other := port())):

        async def job() -> list[Reply]:
            await lab.ask(Question("example.org", A))
            lab.service._name_servers._servers = [ServerAddress("127.0.0.1", other)]
            before = await lab.ask(Question("one.example", A))
            lab.resolver.reread_servers()
            return before + await lab.ask(Question("new.example", A), Question("example.org", A))

        assert lab.run(job) == [
            Absent(nxdomain=True),
            Found(("192.0.2.7",)),
            Found(("192.0.2.1", "192.0.2.2")),
        ]
    assert "new.example" not in lab.asked()


def chain(request: dns.message.QueryMessage) -> bytes:
    """Answer with an alias for five seconds, and with an address for fifty."""
    response = response_to(request)
    target = dns.name.from_text("b.example.")
    add(response, request.question[0].name, "CNAME", ["b.example."], 5)
    add(response, target, "A", ["192.0.2.1"], 50)
    return response.to_wire()


def test_c_ares_has_no_memory_of_its_own(
    lab: Lab, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep everything for an hour: 64 KB of answer are half a megabyte there."""
    monkeypatch.setattr(name_servers, "ANSWERS_MAX", 2)
    question, other = Question("five.example.org", A), Question("example.org", A)

    async def job() -> list[Reply]:
        await lab.ask(question, other)
        clock.ahead = 6.0
        return await lab.ask(question)

    assert lab.run(job) == [Found(("192.0.2.9",))]
    assert lab.asked() == ["five.example.org", "example.org", "five.example.org"]


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
    ares = import_module("opensmtpd.dns.resolver.process.channel")
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
