"""Questions of commands to the DNS: a command waits for the replies."""

import select
import time
from typing import TypeVar

from opensmtpd import answer
from opensmtpd.answer import Deferred
from opensmtpd.dns import Dns, Lookup, run_lookup

T = TypeVar("T")


def result(lookup: Lookup[T], dns: Dns, within: float) -> T:
    """Return the result of a lookup, whose questions have so many seconds in all.

    Raises what the lookup raises.
    """
    found = run_lookup(lookup, dns, within)
    return _end(found) if isinstance(found, Deferred) else found


def _end(deferred: Deferred[T]) -> T:
    ends: list[tuple[T, BaseException | None]] = []
    deferred.on_end(lambda value, error: ends.append((value, error)))
    while not ends:
        _take_next()
    [(value, error)] = ends
    if error is not None:
        raise error
    return value


def _take_next() -> None:
    """Wait for what comes next from the processes that were asked, and take it."""
    sources = answer.sources()
    poll = select.poll()
    for source in sources:
        source.flush()
        poll.register(source.fileno(), select.POLLIN)
    times = [source.next_deadline() for source in sources]
    due = min((each for each in times if each is not None), default=None)
    wait = None if due is None else max(0.0, due - time.monotonic()) * 1000 + 1
    ready = {descriptor for descriptor, _ in poll.poll(wait)}
    for source in sources:
        for settle in source.receive() if source.fileno() in ready else ():
            settle()
        for settle in source.expire(time.monotonic()):
            settle()
