"""Names that c-ares refuses, asked of a real name server on loopback."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import dns.message
import pytest

from lab.peers.nameserver import NameServer, Records, Rule, failing, garbage, lasting, silent
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.process import direct
from opensmtpd.dns.resolver.process.direct import Direct
from opensmtpd.dns.servers import ServerAddress
from unit.support.dns_lab import MX, PTR, TXT, A, Clock, Lab, port

ODD: Records = {
    ("a+b=c:d/e%f.example", "A"): lasting(5, "192.0.2.1"),
    (r"\@.example", "A"): ["192.0.2.2"],
    (r"a\032b\"c\".example", "TXT"): ['"v=spf1 " "-all"', r'"\255"'],
    (r"\000\010\128\\.example", "A"): ["192.0.2.3"],
    ("long+.example", "TXT"): [" ".join([f'"{"x" * 255}"'] * 240)],
    ("mail+.example", "MX"): ["20 b.example.", "10 a.example."],
    ("pointer+.example", "PTR"): ["a.example.", r"a\032b.example."],
    ("alias+.example", "CNAME"): [r"\@.example."],
    ("refused+.example", "A"): failing(),
    ("silent+.example", "A"): silent,
    ("none.example", "MX"): ["0 ."],
    ("zone+.example", "SOA"): lasting(900, "ns. root. 1 2 3 4 30"),
}


@pytest.fixture
def odd(lab: Lab) -> Lab:
    lab.server.records = ODD
    return lab


@pytest.mark.parametrize(
    ("name", "kind", "reply"),
    [
        ("a+b=c:d/e%f.example", A, Found(("192.0.2.1",))),
        ("@.example", A, Found(("192.0.2.2",))),
        ('a b"c".example', TXT, Found(("v=spf1 -all", "\xff"))),
        ("\0\n\x80\\.example", A, Found(("192.0.2.3",))),
        ("long+.example", TXT, Found(("x" * 255 * 240,))),  # over TCP
        ("mail+.example", MX, Found(("a.example", "b.example"))),
        ("pointer+.example", PTR, Found(("a.example",))),
        ("alias+.example", A, Found(("192.0.2.2",))),
        ("@.example", TXT, Absent()),
        ("none+.example", A, Absent(nxdomain=True)),
        ("refused+.example", A, Failed("DNS server returned SERVFAIL")),
        ("zone+.example", RecordType.SOA, Found(("30",))),
    ],
)
def test_replies(odd: Lab, name: str, kind: RecordType, reply: Reply) -> None:
    assert odd.one(name, kind) == reply


def test_it_is_remembered_as_others_are(odd: Lab, clock: Clock) -> None:
    question = Question("a+b=c:d/e%f.example", A)
    absent = Question("x+y.zone+.example", A)
    odd.one(*question)
    odd.one(*absent)
    assert odd.resolver.known([question, absent]) == [
        Found(("192.0.2.1",)),
        Absent(nxdomain=True),
    ]
    clock.ahead = 5.5
    assert odd.resolver.known([question]) is None
    assert odd.asked("SOA") == ["zone+.example"]


def test_it_comes_back_from_the_cache_file(odd: Lab, tmp_path: Path) -> None:
    path, question = str(tmp_path / "cache"), Question("\0\n\x80\\.example", A)
    odd.renew(path)
    odd.one(*question)
    odd.save()
    odd.renew(path)
    count = len(odd.server.asked)
    assert odd.one(*question) == Found(("192.0.2.3",))
    assert len(odd.server.asked) == count


def test_usual_names_are_asked_through_c_ares(odd: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Direct, "ask", ask)
    assert odd.one("none.example", TXT) == Absent()
    failed = odd.one("@.example", A)
    assert failed == Failed("no resolver: AssertionError", ours=True)


# --- one question, several name servers -----------------------------------------------------------


@contextmanager
def servers(*rules: Rule) -> Iterator[list[NameServer]]:
    """Run a name server for each rule; it answers anything by it."""
    made = []
    for rule in rules:
        made.append(NameServer({("*.example", "A"): rule}, ("127.0.0.1", port())).__enter__())
    try:
        yield made
    finally:
        for each in made:
            each.__exit__()


def ask(*questions: Question, of: list[ServerAddress]) -> list[tuple[Reply, float]]:
    """Ask without a cache."""

    async def job() -> list[tuple[Reply, float]]:
        asking = Direct(of)
        waits: list[asyncio.Future[tuple[Reply, float]]]
        waits = [asyncio.get_running_loop().create_future() for _ in questions]
        for question, wait in zip(questions, waits, strict=True):
            asking.ask(question, lambda *end, wait=wait: wait.set_result(end))
        return await asyncio.gather(*waits)

    return asyncio.run(job())


def addresses(made: list[NameServer]) -> list[ServerAddress]:
    return [ServerAddress(*server._address) for server in made]


PLUS = Question("a+b.example", A)
GOOD = lasting(60, "192.0.2.9")


@pytest.mark.parametrize("bad", [silent, failing(), garbage(b""), garbage(b"\x81\x80\xff")])
def test_the_next_one_is_asked(bad: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "WAITS", (0.1, 5.0))
    with servers(bad, GOOD) as made:
        assert ask(PLUS, of=addresses(made)) == [(Found(("192.0.2.9",)), 60.0)]
        assert [len(server.asked) for server in made] == [1, 1]


def test_one_that_is_not_there_costs_nothing() -> None:
    dead = ServerAddress("127.0.0.1", port())
    with servers(GOOD) as made:
        assert ask(PLUS, of=[dead, *addresses(made)]) == [(Found(("192.0.2.9",)), 60.0)]
    assert ask(PLUS, of=[dead]) == [(Failed("ConnectionRefusedError"), 0.0)]


def test_only_who_was_silent_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "WAITS", (0.1, 0.1))
    with servers(silent, failing()) as made:
        reply = Failed("DNS server returned SERVFAIL")
        assert ask(PLUS, of=addresses(made)) == [(reply, 0.0)]
        assert [len(server.asked) for server in made] == [2, 1]
    with servers(silent) as made:
        assert ask(PLUS, of=addresses(made)) == [(Failed("no answer"), 0.0)]


# --- forgeries ------------------------------------------------------------------------------------


def test_each_question_has_a_port_and_an_id_of_its_own() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        came: list[tuple[int, int]] = []

        async def job() -> None:
            asking, ended = Direct([ServerAddress(*end.getsockname())]), list[object]()
            for number in range(20):
                asking.ask(Question(f"+{number}.example", A), lambda *reply: ended.append(reply))
            for _ in range(20):
                data, (_, source) = await asyncio.to_thread(end.recvfrom, 512)
                came.append((source, int.from_bytes(data[:2], "big")))
            asking.cancel()
            while len(ended) < 20:
                await asyncio.sleep(0)
            assert set(ended) == {(Failed("given up"), 0.0)}

        asyncio.run(job())
    ports, numbers = (set(each) for each in zip(*came, strict=True))
    assert len(ports) == 20
    assert len(numbers) > 15
    assert max(numbers) - min(numbers) > 100


def test_what_others_send_is_no_answer() -> None:
    """Another id, another name, and the right message from another port."""
    with (
        socket.socket(type=socket.SOCK_DGRAM) as end,
        socket.socket(type=socket.SOCK_DGRAM) as forger,
    ):
        end.bind(("127.0.0.1", 0))

        def answered(query: bytes, address: str) -> bytes:
            request = dns.message.from_wire(query)
            assert isinstance(request, dns.message.QueryMessage)
            found = lasting(60, address)(request)
            assert found is not None
            return found

        def serve() -> None:
            query, client = end.recvfrom(512)
            forger.sendto(answered(query, "192.0.2.66"), client)
            other = (int.from_bytes(query[:2], "big") ^ 1).to_bytes(2, "big")
            end.sendto(other + answered(query, "192.0.2.66")[2:], client)
            end.sendto(answered(query.replace(b"a+b", b"a+c"), "192.0.2.66"), client)
            end.sendto(b"", client)
            end.sendto(answered(query, "192.0.2.1"), client)

        async def job() -> object:
            end_of: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            asking = Direct([ServerAddress(*end.getsockname())])
            asking.ask(PLUS, lambda *reply: end_of.set_result(reply))
            await asyncio.to_thread(serve)
            return await end_of

        assert asyncio.run(job()) == (Found(("192.0.2.1",)), 60.0)


@pytest.mark.parametrize("sent", [b"", b"\0\x0cnot an answer", b"\xff\xff", b"\0\x20only a part"])
def test_nonsense_over_tcp(sent: bytes) -> None:
    """A name server that says over UDP that its answer is long."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        tcp.listen()

        def serve() -> None:
            query, client = udp.recvfrom(512)
            request = dns.message.from_wire(query)
            assert isinstance(request, dns.message.QueryMessage)
            udp.sendto(flagged(request), client)
            connection, _ = tcp.accept()
            with connection:
                connection.recv(512)
                connection.sendall(sent)

        async def job() -> object:
            end_of: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            asking = Direct([ServerAddress(*udp.getsockname())])
            asking.ask(PLUS, lambda *reply: end_of.set_result(reply))
            await asyncio.to_thread(serve)
            return await end_of

        reply = asyncio.run(job())
    assert isinstance(reply, tuple)
    assert isinstance(reply[0], Failed)


def flagged(request: dns.message.QueryMessage) -> bytes:
    """Return an answer that says that it is cut."""
    wire = bytearray(failing()(request) or b"")
    wire[2] |= 2
    return bytes(wire)


# --- bounds ---------------------------------------------------------------------------------------


def test_so_many_are_asked_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "SOCKETS", 2)
    monkeypatch.setattr(direct, "WITHIN", 0.3)
    questions = [Question(f"+{number}.example", A) for number in range(5)]
    with servers(silent) as made:
        replies = ask(*questions, of=addresses(made))
        assert replies == [(Failed("no answer"), 0.0)] * 5
        assert len(made[0].asked) == 2


def test_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "ASKED_MAX", 2)
    questions = [Question(f"+{number}.example", A) for number in range(3)]
    with servers(GOOD) as made:
        good = (Found(("192.0.2.9",)), 60.0)
        replies = ask(*questions, of=addresses(made))
    assert replies == [good, good, (direct.CROWDED, 0.0)]


# --- resolv.conf ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["127.0.0.1:53"]),
        ("search example\n# nameserver 192.0.2.9\nnameserver\n\n", ["127.0.0.1:53"]),
        ("nameserver 192.0.2.1\noptions edns0\n nameserver\t2001:db8::1 # x\n",
         ["192.0.2.1:53", "[2001:db8::1]:53"]),
        ("nameserver [127.0.0.1]:5399\nnameserver fe80::1%em0\nnameserver \xff\n",
         ["127.0.0.1:5399"]),
    ],
)  # fmt: skip
def test_those_of_resolv_conf(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, expected: list[str]
) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(direct, "RESOLV_CONF", str(conf))
    assert [str(each) for each in direct._of_resolv_conf()] == expected


def test_it_is_read_again_when_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(import_module(Direct.__module__), "RESOLV_CONF", str(conf))

    async def job(made: list[NameServer]) -> list[list[int]]:
        asking, counts = Direct([]), []
        for number, reread in enumerate((False, False, True)):
            conf.write_text(f"nameserver [127.0.0.1]:{made[number > 0]._address[1]}\n")
            if reread:
                asking.reread()
            end: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            asking.ask(PLUS, lambda *reply, end=end: end.set_result(reply))
            assert await end == (Found(("192.0.2.9",)), 60.0)
            counts.append([len(server.asked) for server in made])
        return counts

    with servers(GOOD, GOOD) as made:
        assert asyncio.run(job(made)) == [[1, 0], [2, 0], [2, 1]]
