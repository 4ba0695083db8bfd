"""A channel of c-ares that the loop watches: no thread, and nothing is late that has come."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiodns
import pycares
import pytest

from lab.peers.nameserver import NameServer
from opensmtpd.dns.resolver.process.channel import NEW
from opensmtpd.dns.resolver.process.watched import WatchedResolver
from unit.support.dns_lab import RECORDS, port

KEPT: list[WatchedResolver] = []
"""Resolvers whose loop has ended while they had sockets.

With pycares 4, the process aborts when such a one is collected. A filter has none: who asks keeps
the resolver, and c-ares has sockets for questions only.
"""


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(RECORDS, ("127.0.0.1", port())) as each:
        yield each


def made(server: NameServer, **options: Any) -> WatchedResolver:
    address, number = server._address
    if NEW:
        return WatchedResolver(nameservers=[f"{address}:{number}"], **options)
    return WatchedResolver(nameservers=[address], udp_port=number, tcp_port=number, **options)


def code_of(
    server: NameServer,
    name: str,
    then: Callable[[WatchedResolver], object] = lambda _: None,
    **options: Any,
) -> int | None:
    """Ask for the addresses of a name, and return the error of c-ares, None for an answer."""

    async def run() -> int | None:
        resolver = made(server, **options)
        KEPT.append(resolver)
        asked = (resolver.query_dns if NEW else resolver.query)(name, "A")
        then(resolver)
        try:
            await asked
        except aiodns.error.DNSError as error:
            return int(error.args[0])
        return None

    return asyncio.run(run())


def watched(loop: Any) -> int:
    """Return the number of descriptors that an asyncio loop watches."""
    return len(loop._selector.get_map())


def test_there_is_no_thread_of_c_ares(server: NameServer) -> None:
    sockets: list[int] = []

    def look(resolver: WatchedResolver) -> None:
        assert not getattr(resolver, "_event_thread", False)
        sockets.extend(resolver._reads)

    assert code_of(server, "example.org", look, timeout=5.0) is None
    assert len(sockets) == 1


def test_an_answer_and_none(server: NameServer) -> None:
    assert code_of(server, "example.org", timeout=5.0) is None
    missing = code_of(server, "none.example.org", timeout=5.0)
    assert missing == pycares.errno.ARES_ENOTFOUND


def test_a_long_answer_comes_over_tcp(server: NameServer) -> None:
    """Such a socket is watched for room as well, and no longer than c-ares has bytes for it."""
    server.records = {("many.example", "A"): [f"192.0.2.{number}" for number in range(200)]}

    async def run() -> int:
        resolver = made(server, timeout=5.0)
        KEPT.append(resolver)
        server.delay = 0.3
        query: Any = resolver.query_dns if NEW else resolver.query
        asked = query("many.example", "A")
        while not asked.done():
            await asyncio.sleep(0.01)
        assert not resolver._writes
        answer = asked.result()
        return len(answer.answer if NEW else answer)

    assert asyncio.run(run()) == 200


def test_a_silent_name_server_is_waited_for_as_long_as_told(server: NameServer) -> None:
    begun = time.monotonic()
    silent = code_of(server, "silent.example.org", timeout=0.3, tries=1)
    assert silent == pycares.errno.ARES_ETIMEOUT
    assert time.monotonic() - begun >= 0.3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_memory_once_the_others_have_their_ends(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """c-ares calls us, and bears what is raised there: the end waits for the next look."""

    async def run() -> list[int | None]:
        resolver, loop = made(server, timeout=5.0), asyncio.get_running_loop()
        KEPT.append(resolver)
        ends: list[int | None] = []
        real, failures = loop.call_soon, [MemoryError()]

        def call_soon(call: Any, *arguments: Any, **more: Any) -> Any:
            if failures and "_tell" in repr(call):
                raise failures.pop()
            return real(call, *arguments, **more)

        monkeypatch.setattr(loop, "call_soon", call_soon)
        for number in range(3):
            resolver.ask("example.org", pycares.QUERY_TYPE_A, lambda _, code: ends.append(code))
            end = time.monotonic() + 20
            while len(ends) < number and time.monotonic() < end:
                await asyncio.sleep(0.01)
        while len(ends) < 3 and time.monotonic() < end:
            await asyncio.sleep(0.01)
        assert not failures
        return ends

    assert asyncio.run(run()) == [None] * 3


def test_an_answer_that_came_while_the_loop_was_late_counts(server: NameServer) -> None:
    """The loop is busy for longer than the name server has, and looks at the time first."""

    def wait(resolver: WatchedResolver) -> None:
        while not server.asked:
            pass
        threading.Event().wait(0.5)
        resolver._tick()

    assert code_of(server, "example.org", wait, timeout=0.3, tries=1) is None


def test_nothing_is_watched_when_nothing_is_asked(server: NameServer) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        before = watched(loop)
        resolver = made(server, timeout=5.0)
        await (resolver.query_dns if NEW else resolver.query)("example.org", "A")
        assert watched(loop) == before
        assert not resolver._reads
        await asyncio.sleep(0.25)
        assert not resolver._ticks
        del resolver
        gc.collect()
        assert watched(loop) == before

    asyncio.run(run())


def ends(server: NameServer, *names: str, raising: bool = False) -> list[tuple[Any, int | None]]:
    """Ask without a future; return what ended the questions."""

    async def run() -> list[tuple[Any, int | None]]:
        resolver = made(server, timeout=5.0)
        KEPT.append(resolver)
        found: list[tuple[Any, int | None]] = []

        def ended(answer: Any, code: int | None) -> None:
            assert not asking
            found.append((answer, code))
            if raising:
                raise ValueError

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        asking = True
        for name in names:
            resolver.ask(name, pycares.QUERY_TYPE_A, ended)
        asking = False
        while len(found) < len(names):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert not resolver._ends
        return found

    return asyncio.run(run())


def test_without_a_future_the_answers_are_the_same(server: NameServer) -> None:
    [(answer, code)] = ends(server, "example.org")
    assert code is None
    rows = answer.answer if NEW else answer
    assert sorted(row.data.addr if NEW else row.host for row in rows) == ["192.0.2.1", "192.0.2.2"]
    assert ends(server, "none.example.org") == [(None, pycares.errno.ARES_ENOTFOUND)]


def test_what_c_ares_refuses_ends_once_and_later(server: NameServer) -> None:
    """pycares 5 raises, and c-ares may have called by then; pycares 4 does not raise."""
    [(answer, code)] = ends(server, "a" * 64 + ".example")
    assert answer is None
    assert code in (pycares.errno.ARES_EBADNAME, pycares.errno.ARES_EFORMERR)


def test_one_that_raises_keeps_no_other_from_its_end(server: NameServer) -> None:
    names = ("example.org", "none.example.org", "a" * 64 + ".example", "example.org")
    assert len(ends(server, *names, raising=True)) == len(names)
