"""The resolver's process, as a process: what it does for its front, and what its end costs."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.peers.nameserver import NameServer
from opensmtpd import answer
from opensmtpd.answer import Answer, Deferred
from opensmtpd.dns import Absent, Dns, Failed, Found, Lookup, Question, Reply, run_lookup
from opensmtpd.dns.resolver import heartbeat
from opensmtpd.dns.resolver.process import channel
from opensmtpd.dns.resolver.process.worker import ResolverWorker
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError
from opensmtpd.filter import PROCEED, Filter, Helo, MailFrom, PhaseDecision, Session
from opensmtpd.testing import run_message
from opensmtpd.testing.sources import take_next
from unit.support.dns_lab import RECORDS, A, port
from unit.support.processes import until

FOUND: Reply = Found(("192.0.2.1", "192.0.2.2"))
EXAMPLE = Question("example.org", A)


class Front:
    """The front of a filter: a resolver with its process, and a name server to ask."""

    def __init__(self, server: NameServer, address: tuple[str, int], path: Path) -> None:
        self.server = server
        self.address = ServerAddress(*address)
        self.path = path
        self.begin()

    def begin(self) -> None:
        self.resolver = Resolver([self.address], str(self.path))

    def ask(self, *names: str, within: float = 60.0) -> list[Reply]:
        return self.end_of(self.asked(*names, within=within))

    def asked(self, *names: str, within: float = 60.0) -> Deferred[list[Reply]]:
        questions = [Question(name, A) for name in names]
        return self.resolver.ask(questions, time.monotonic() + within)

    def end_of(self, asked: Deferred[list[Reply]]) -> list[Reply]:
        ends: list[list[Reply]] = []
        asked.on_end(lambda value, _: ends.append(value))
        while not ends:
            take_next()
        return ends[0]

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        while not self.resolver._pool._crew.workers[0].pid:
            take_next()
        return self.resolver._pool._crew.workers[0].pid

    def end(self) -> None:
        self.resolver.close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    address = ("127.0.0.1", port())
    with NameServer(RECORDS, address) as server:
        made = Front(server, address, tmp_path / "cache")
        yield made
        made.end()
    assert made.resolver not in answer.sources()


def test_questions(front: Front) -> None:
    replies = front.ask("example.org", "none.example.org", "refused.example.org")
    assert replies == [FOUND, Absent(nxdomain=True), Failed("DNS server returned general failure")]
    assert front.resolver.known([EXAMPLE]) == [FOUND]


def test_odd_names_are_asked_from_within_the_sandbox(front: Front) -> None:
    """Over UDP, and over TCP where there is much to say."""
    many = [f"192.0.2.{number}" for number in range(100)]
    front.server.records = {(r"a+\032b.example", "A"): many}
    replies = front.ask("a+ b.example", "none+.example")
    assert replies == [Found(tuple(many)), Absent(nxdomain=True)]


def test_the_cache_file_is_handed_over(front: Front) -> None:
    names = [f"n{number}.example.org" for number in range(250)]  # in three parts
    front.server.records = {("*.example.org", "A"): ["192.0.2.3"]}
    front.ask(*names)
    front.resolver.save()
    front.end()
    count = len(front.server.asked)
    front.begin()
    while front.resolver.known([Question(name, A) for name in names]) is None:
        take_next()
    assert len(front.server.asked) == count


def test_a_process_that_is_killed_is_asked_again(front: Front) -> None:
    front.server.delay = 0.5
    front.ask("five.example.org")
    waiting, first = front.asked("example.org"), front.pid
    front.resolver.flush()
    until(lambda: "example.org" in [name for name, _ in front.server.asked])
    os.kill(first, signal.SIGKILL)
    assert front.resolver.known([Question("five.example.org", A)]) is not None
    assert front.end_of(waiting) == [FOUND]
    assert front.pid != first


def test_one_that_is_stopped_is_replaced(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "WITHIN", 0.4)
    front.ask("five.example.org")
    first = front.pid
    os.kill(first, signal.SIGSTOP)
    assert front.ask("example.org") == [FOUND]
    assert front.pid != first


def test_a_silent_name_server_does_not_end_it(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.1)
    first = front.pid
    silent = front.ask("silent.example.org", within=1.0)
    assert silent == [Failed("no answer in time", ours=True)]
    assert front.pid == first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_do_nothing(front: Front, number: int) -> None:
    front.ask("five.example.org")
    first = front.pid
    os.kill(first, number)
    assert front.ask("example.org") == [FOUND]
    assert front.pid == first


def test_name_servers_are_read_again(front: Front) -> None:
    front.ask("five.example.org")
    front.resolver.reread_servers()
    assert front.ask("example.org") == [FOUND]
    assert front.resolver.known([EXAMPLE]) == [FOUND]


def test_one_that_cannot_save_is_told_in_the_log(
    front: Front, capfd: pytest.CaptureFixture[str]
) -> None:
    front.ask("example.org")
    pid = front.pid
    os.kill(pid, signal.SIGSTOP)
    front.resolver.save()
    assert capfd.readouterr().err.splitlines() == [
        f"worker-late pid={pid}",
        'dns-cache-not-written reason="no answer in time"',
    ]


def test_a_save_does_not_wait_for_questions_that_are_open(
    front: Front, capfd: pytest.CaptureFixture[str]
) -> None:
    """They have 40 seconds, and smtpd is waiting for the end of the filter."""
    front.asked("silent.example.org")
    front.resolver.flush()
    os.kill(front.pid, signal.SIGSTOP)
    front.resolver.save()
    assert 'dns-cache-not-written reason="no answer in time"' in capfd.readouterr().err
    assert len(front.resolver._questions) == 1


def test_clients_that_go_leave_nothing(front: Front) -> None:
    asked = [front.asked("silent.example.org", f"n{number}.example") for number in range(500)]
    for each in asked:
        each.cancel()
    resolver = front.resolver
    assert resolver._waits.next_deadline() is None
    assert all(not each.waits for each in resolver._questions._asked.values())
    assert front.ask("example.org") == [FOUND]


class Asks(Filter):
    """Has a handler of each kind that asks the DNS."""

    def __init__(self, dns: Dns) -> None:
        self.dns = dns
        self.found: list[list[Reply]] = []

    def look_up(self, name: str) -> Lookup[list[Reply]]:
        found: list[Reply] = yield [Question(name, A)]
        return found

    def on_helo(self, session: Session, request: Helo) -> Answer[PhaseDecision]:
        found = run_lookup(self.look_up("example.org"), self.dns, 60.0)
        assert isinstance(found, Deferred)
        return found.then(self.go_on)

    async def on_mail_from(self, session: Session, request: MailFrom) -> PhaseDecision:
        found = run_lookup(self.look_up("five.example.org"), self.dns, 60.0)
        assert isinstance(found, Deferred)
        return self.go_on(await found)

    def go_on(self, found: list[Reply]) -> PhaseDecision:
        self.found.append(found)
        return PROCEED


def test_a_handler_may_return_a_lookup_or_await_it(front: Front) -> None:
    filter = Asks(front.resolver)
    assert run_message(filter, b"Subject: x\n\nx\n").accepted
    assert filter.found == [[FOUND], [Found(("192.0.2.9",))]]


# --- what it needs --------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [True, False])
def test_ports_that_differ_need_aiodns_4(monkeypatch: pytest.MonkeyPatch, new: bool) -> None:
    monkeypatch.setattr(channel, "NEW", new)
    setup = [[["192.0.2.1", 53], ["192.0.2.1", 5353]], None]
    if new:
        ResolverWorker().load(setup)
        return
    with pytest.raises(ConfigError) as caught:
        ResolverWorker().load(setup)
    assert str(caught.value) == (
        "aiodns 3 cannot ask name servers on different ports; "
        "use one port for all name servers, or aiodns 4"
    )


@pytest.mark.parametrize(("package", "module"), [("aiodns", "aiodns"), ("dnspython", "dns")])
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # how Python spells "not there"
    for name in ("watched", "channel", "message", "direct", "name_servers", "service"):
        monkeypatch.delitem(sys.modules, f"opensmtpd.dns.resolver.process.{name}", raising=False)
        monkeypatch.delattr(f"opensmtpd.dns.resolver.process.{name}", raising=False)
    with pytest.raises(ConfigError) as caught:
        ResolverWorker().load([[], None])
    assert str(caught.value) == (
        f"asking the DNS needs {package}; pip install 'opensmtpd-plugins[dns]'"
    )
