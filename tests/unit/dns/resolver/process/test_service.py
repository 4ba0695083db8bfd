"""What the resolver's process makes of requests, and how it ends."""

import asyncio
import socket
from pathlib import Path

import pytest

from opensmtpd.dns import Absent, Found, Question
from opensmtpd.dns.resolver.cache import CacheEntry
from opensmtpd.dns.resolver.orders import ALIVE, ASK, KEPT, REREAD, SAVE
from opensmtpd.dns.resolver.process import service
from opensmtpd.dns.resolver.process.cache_file import save
from opensmtpd.dns.resolver.replies import ABSENT, FOUND
from opensmtpd.worker import Link
from opensmtpd.worker.frames import FrameBuffer, pack
from opensmtpd.worker.worker import FAILURE, VALUE
from unit.support.dns_lab import TXT, A


def answers(*requests: object, cache: str | None = None) -> list[list[object]]:
    """Have a service take requests whose front goes away then; return its answers by number."""
    return sorted(came(*requests, cache=cache), key=lambda each: str(each[1]))


def came(*requests: object, cache: str | None = None) -> list[list[object]]:
    """Have a service take requests that come at once; return its answers in their order."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"".join(pack([number, each]) for number, each in enumerate(requests)))

        def take() -> None:
            frames = FrameBuffer()
            while len(replies) < len(requests):
                replies.extend(frames.feed(ours.recv(1 << 20)))

        async def run() -> None:
            task = asyncio.create_task(service.Service(Link(theirs), [], cache).run())
            await asyncio.to_thread(take)  # the service waits until somebody takes what is much
            ours.shutdown(socket.SHUT_RDWR)
            await task

        replies: list[list[object]] = []
        with pytest.raises(EOFError):
            asyncio.run(run())
    return replies


def test_orders() -> None:
    requests = [[ALIVE], [REREAD], [SAVE]]
    assert answers(*requests) == [[VALUE, number, True] for number in range(3)]


def test_the_sign_of_life_waits_for_no_other_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TURN", 2)
    replies = came([KEPT, 9], [KEPT, 9], [KEPT, 9], [ALIVE])
    assert [number for _, number, *_ in replies] == [3, 0, 1, 2]


@pytest.mark.parametrize(
    "request_",
    [None, [], 7, [ASK], [ASK, "x"], [ASK, "a..b", "A"], [ASK, "x", "AXFR"], [ASK, 7, "A"], [KEPT]],
)
def test_anything_else_is_an_exception_and_nothing_more(request_: object) -> None:
    failure, good = answers(request_, [ALIVE])
    assert failure[:2] == [FAILURE, 0]
    assert good == [VALUE, 1, True]


def test_what_the_file_has_is_handed_over_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "KEPT_ROWS", 2)
    kept = [
        CacheEntry(Question("a.example", A), Found(("192.0.2.1",)), 4e9),
        CacheEntry(Question("b.example", A), Absent(), 4e9),
        CacheEntry(Question("c.example", A), Absent(nxdomain=True), 4e9),
    ]
    path = str(tmp_path / "cache")
    save(path, kept)
    parts = answers([KEPT, 0], [KEPT, 1], [KEPT, 2], [ASK, "a.example", "A"], cache=path)
    rows = [[row[:4] for row in value] for _, _, value in parts[:3] if isinstance(value, list)]
    assert rows == [
        [["a.example", "A", FOUND, ["192.0.2.1"]], ["b.example", "A", ABSENT, False]],
        [["c.example", "A", ABSENT, True]],
        [],
    ]
    last = parts[3][2]
    assert isinstance(last, list)
    assert last[:2] == [FOUND, ["192.0.2.1"]]  # it was not asked of anybody


def test_what_is_large_is_handed_over_in_parts_of_its_own(tmp_path: Path) -> None:
    """A frame has 1 MiB, at most, and a character of a text may take two bytes."""
    kept = [
        *(
            CacheEntry(Question(f"{n}.example", TXT), Found(("\xff" * 65535,)), 4e9)
            for n in range(4)
        ),
        CacheEntry(Question("many.example", TXT), Found(("",) * 5000), 4e9),
        CacheEntry(Question("a.example", A), Found(("192.0.2.1",)), 4e9),
    ]
    path = str(tmp_path / "cache")
    save(path, kept)
    parts = answers(*([KEPT, number] for number in range(7)), cache=path)
    names = [[row[0] for row in value] for _, _, value in parts if isinstance(value, list)]
    assert names == [
        *([f"{number}.example"] for number in range(4)),
        *(["many.example"], ["a.example"], []),
    ]
