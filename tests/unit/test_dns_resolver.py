"""The resolver, asking a real name server on loopback."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lab.nameserver import NameServer, Records, failing, garbage, lasting, silent
from opensmtpd.dns import Absent, Failed, Found, Kind, Question, Reply
from opensmtpd.dns import resolver as module
from opensmtpd.dns.ares import NEW
from opensmtpd.dns.cache import FAILURE_TTL
from opensmtpd.dns.resolver import Resolver
from opensmtpd.dns.servers import Server

T = TypeVar("T")
A, AAAA, PTR, TXT, MX = Kind.A, Kind.AAAA, Kind.PTR, Kind.TXT, Kind.MX

RECORDS: Records = {
    ("example.org", "A"): ["192.0.2.1", "192.0.2.2"],
    ("example.org", "AAAA"): ["2001:DB8::1"],
    ("example.org", "MX"): ["20 b.example.org.", "10 a.example.org.", "10 A.example.org."],
    ("example.org", "TXT"): [r'"v=one" " and two"', r'"\255\010|"'],
    ("example.org", "SOA"): lasting(900, "ns. root. 1 2 3 4 300"),
    ("short.example", "SOA"): lasting(3, "ns. root. 1 2 3 4 300"),
    ("a.short.example", "TXT"): ['"x"'],
    ("0.192.in-addr.arpa", "SOA"): lasting(900, "ns. root. 1 2 3 4 600"),
    ("3.0.192.in-addr.arpa", "SOA"): lasting(900, "ns. root. 1 2 3 4 30"),
    ("in-addr.arpa", "SOA"): lasting(9000, "ns. root. 1 2 3 4 3600"),
    ("sub.example.org", "SOA"): lasting(900, "ns. root. 1 2 3 4 30"),
    ("5.2.0.192.in-addr.arpa", "PTR"): ["one.example.", "TWO.example."],
    ("alias.example.org", "CNAME"): ["example.org."],
    ("once.example.org", "A"): lasting(0, "192.0.2.9"),
    ("five.example.org", "A"): lasting(5, "192.0.2.9"),
    ("silent.example.org", "A"): silent,
    ("refused.example.org", "A"): failing(),
}


def port() -> int:
    """Return a port that is free for UDP and TCP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        free: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", free))
        return free


class Lab:
    """A name server, and a resolver that asks it."""

    def __init__(self, server: NameServer, address: tuple[str, int]) -> None:
        self.server = server
        self.servers = [Server(*address)]
        self.resolver = Resolver(self.servers)

    def run(self, job: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a job in a loop of its own, and end the questions that it leaves."""

        async def whole() -> T:
            result = await job()
            if self.resolver._ares is not None:
                self.resolver._ares._resolver.cancel()
            while self.resolver._flights or self.resolver._learning:
                await asyncio.sleep(0.01)
            return result

        return asyncio.run(whole())

    async def ask(self, *questions: Question, within: float = 10.0) -> list[Reply]:
        until = asyncio.get_running_loop().time() + within
        return await self.resolver.ask(questions, until)

    def one(self, name: str, kind: Kind, within: float = 10.0) -> Reply:
        return self.run(lambda: self.ask(Question(name, kind), within=within))[0]

    def asked(self, kind: str = "A") -> list[str]:
        """What the server was asked for, SOA and others apart."""
        return [name for name, asked in self.server.asked if asked == kind]


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
    async def job() -> tuple[list[Reply], float]:
        start = time.monotonic()
        replies = await lab.ask(
            Question("silent.example.org", A), Question("example.org", A), within=0.3
        )
        return replies, time.monotonic() - start

    replies, took = lab.run(job)
    assert replies == [Failed("no answer in time"), Found(("192.0.2.1", "192.0.2.2"))]
    assert took < 10  # not until c-ares gives up


def test_a_late_answer_is_kept_for_others(lab: Lab) -> None:
    lab.server.delay = 0.3

    async def job() -> list[Reply] | None:
        assert await lab.ask(Question("example.org", A), within=0.01) == [
            Failed("no answer in time")
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


def test_there_is_room_for_so_many(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT", 2)
    lab.server.delay = 0.1
    questions = [Question(name, A) for name in ("example.org", "alias.example.org", "x.example")]
    replies = lab.run(lambda: lab.ask(*questions))
    assert replies[2] == Failed("too many questions at a time")
    assert [type(reply) for reply in replies[:2]] == [Found, Found]


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
    monkeypatch.setattr(module, "ANSWERS_MAX", 2)
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
    question = Question(name, A)
    lab.run(lambda: settled(lab, question))
    assert lab.asked("SOA") == zones
    clock.ahead = good
    assert lab.resolver.known([question]) == [Absent()]
    clock.ahead = over
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


def test_only_so_many_wait_for_their_zones() -> None:
    assert Resolver()._unlearnt.maxlen == module.UNLEARNT


# --- name servers change --------------------------------------------------------------------------


def test_renewed_it_asks_whoever_there_is_now(lab: Lab) -> None:
    with NameServer({("new.example", "A"): ["192.0.2.7"]}, ("127.0.0.1", other := port())):

        async def job() -> list[Reply]:
            await lab.ask(Question("example.org", A))
            lab.resolver._servers = [Server("127.0.0.1", other)]
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
    assert len(lab.asked()) >= 2000


# --- hostile data ---------------------------------------------------------------------------------

LONG = ".".join(["x" * 63] * 3 + ["x" * 61])
HOSTILE: Records = {
    ("pipes.example", "PTR"): [r"a\124b.example.", r"a\010b.example.", r"a\000b.example."],
    ("spaces.example", "PTR"): [r"a\032b.example.", r"\195\188.example.", r"a\.b.example."],
    ("mixed.example", "PTR"): [r"a\124b.example.", "good.example."],
    ("root.example", "PTR"): ["."],
    ("long.example", "PTR"): [f"{LONG}."],
    ("many.example", "PTR"): [f"n{number}.example." for number in range(1000)],
    ("big.example", "TXT"): [" ".join([f'"{"x" * 255}"'] * 240)],
    ("loop.example", "CNAME"): ["loop2.example."],
    ("loop2.example", "CNAME"): ["loop.example."],
    ("none.example", "MX"): ["0 ."],
    ("empty.example", "A"): garbage(b""),
    ("noise.example", "A"): garbage(bytes(range(256)) * 2),
    ("counts.example", "A"): garbage(b"\x81\x80" + b"\xff" * 300),
}


@pytest.mark.parametrize(
    ("name", "kind", "reply"),
    [
        ("pipes.example", PTR, Absent()),
        ("spaces.example", PTR, Absent()),
        ("mixed.example", PTR, Found(("good.example",))),
        ("root.example", PTR, Absent()),
        ("long.example", PTR, Found((LONG,))),
        ("none.example", MX, Absent()),
    ],
)
def test_names_that_are_none(lab: Lab, name: str, kind: Kind, reply: Reply) -> None:
    lab.server.records = HOSTILE
    assert lab.one(name, kind) == reply


def test_a_thousand_names(lab: Lab) -> None:
    lab.server.records = HOSTILE
    reply = lab.one("many.example", PTR)
    assert isinstance(reply, Found)
    assert reply.records == tuple(f"n{number}.example" for number in range(100))
    assert lab.resolver.known([Question("many.example", PTR)]) == [reply]


def test_a_large_text(lab: Lab) -> None:
    lab.server.records = HOSTILE
    assert lab.one("big.example", TXT) == Found(("x" * 255 * 240,))
    assert lab.resolver.known([Question("big.example", TXT)]) is None


@pytest.mark.parametrize("name", ["loop.example", "empty.example", "noise.example",
                                  "counts.example"])  # fmt: skip
def test_nonsense(lab: Lab, name: str) -> None:
    """It neither ends nor stalls anybody, and is no answer."""
    lab.server.records = HOSTILE

    async def job() -> list[Reply]:
        return await lab.ask(Question(name, A), Question("none.example", MX), within=1.0)

    first, second = lab.run(job)
    assert not isinstance(first, Found)
    assert second == Absent()


# --- the file -------------------------------------------------------------------------------------


def test_a_cache_outlives_its_process(lab: Lab, tmp_path: Path) -> None:
    path = str(tmp_path / "cache")
    lab.resolver = Resolver(lab.servers, path)
    questions = [Question("example.org", A), Question("none.example.org", A)]
    replies = lab.run(lambda: lab.ask(*questions))
    lab.resolver.save()
    count = len(lab.server.asked)
    lab.resolver = Resolver(lab.servers, path)
    assert lab.resolver.known(questions) == replies
    lab.resolver.save()  # nothing has changed
    assert len(lab.server.asked) == count


def test_a_cache_is_saved_while_it_runs(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAVE_EVERY", 0.05)
    path = tmp_path / "cache"
    lab.resolver = Resolver(lab.servers, str(path))

    async def job() -> list[Reply]:
        for name in ("example.org", "five.example.org"):
            path.unlink(missing_ok=True)
            await lab.ask(Question(name, A))
            while not path.exists():
                await asyncio.sleep(0.01)
        return await lab.ask(Question("example.org", A))

    lab.run(job)
    again = Resolver(lab.servers, str(path))
    assert again.known([Question("example.org", A), Question("five.example.org", A)]) == [
        Found(("192.0.2.1", "192.0.2.2")),
        Found(("192.0.2.9",)),
    ]


def test_a_damaged_file_is_one_line_in_the_log(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cache"
    path.touch(0o600)
    path.write_text("garbage")
    resolver = Resolver(lab.servers, str(path))
    assert capfd.readouterr().err == (
        f'dns-cache-ignored file={path} reason="it has another version or is no cache"\n'
    )
    assert resolver.known([Question("example.org", A)]) is None


def test_a_file_that_cannot_be_written_is_one_line_in_the_log(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cache"
    (tmp_path / f"cache.{os.getpid()}").mkdir()
    lab.resolver = Resolver(lab.servers, str(path))

    async def job() -> None:
        for name in ("example.org", "five.example.org"):
            await lab.ask(Question(name, A))
            lab.resolver.save()

    lab.run(job)
    assert capfd.readouterr().err == (
        f'dns-cache-not-written file={path} reason="Is a directory"\n'
    )
