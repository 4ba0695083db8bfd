"""A test waits for the replies of its plugin's workers here."""

import asyncio
import contextlib
import select
import time
from collections.abc import Callable, Iterable, Iterator

from opensmtpd import answer

WAIT = 10.0
"""Seconds to wait for a reply, at most: each pool has a deadline that is shorter."""
TICK = 0.02
"""Seconds between two looks at the deadlines of sources, on asyncio."""


def take_next() -> bool:
    """Wait for what comes next from a source, and take it; return whether anything came."""
    until = time.monotonic() + WAIT
    poll = select.poll()
    for source in answer.sources():
        poll.register(source.fileno(), select.POLLIN)
    while answer.sources() and (now := time.monotonic()) < until:
        for source in answer.sources():
            source.flush()
        times = [source.next_deadline() for source in answer.sources()]
        due = min((each for each in times if each is not None), default=until)
        ready = {fd for fd, _ in poll.poll(max(0.0, min(due, until) - now) * 1000 + 1)}
        taken = [_settle(each.receive()) for each in answer.sources() if each.fileno() in ready]
        taken.append(_expire())
        if any(taken):
            return True
    return False


@contextlib.contextmanager
def watched(events: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have an asyncio loop take what comes from sources, inside the block."""
    sources = list(answer.sources())

    def take(receive: Callable[[], Iterable[Callable[[], object]]]) -> None:
        _settle(receive())

    ended = False

    def tick() -> None:
        if not ended:
            _expire()
            for source in sources:
                source.flush()
            events.call_later(TICK, tick)

    events.call_soon(tick)
    for source in sources:
        events.add_reader(source.fileno(), take, source.receive)
    try:
        yield
    finally:
        ended = True
        for source in sources:
            events.remove_reader(source.fileno())


def _expire() -> int:
    """Do what is due; return how many answers that gave."""
    now = time.monotonic()
    return sum(_settle(each.expire(now)) for each in list(answer.sources()))


def _settle(ends: Iterable[Callable[[], object]]) -> int:
    count = 0
    for settle in ends:
        settle()
        count += 1
    return count
