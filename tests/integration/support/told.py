"""Wait for something that happens while mail goes on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.numbered import NumberedMail, missing_and_twice
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab

CLIENTS = 3
"""Clients that send at the same time."""


@contextmanager
def going_on(lab: Lab, port: int) -> Iterator[tuple[NumberedMail, list[bytes]]]:
    """Have clients send mail by way of a listener, 30 messages and more.

    Yields the load, and the messages that have come, of which there are all when it ends: each one
    that was accepted must have come once.
    """
    came: list[bytes] = []

    def take() -> list[bytes]:
        found = [each.message for each in lab.inbox.take(0)]
        came.extend(found)
        return found

    with NumberedMail(lambda _: mail.connect(CONFIRMED_PTR, port),
                      STRANGER, LOCAL, CLIENTS) as load:  # fmt: skip
        load.goes_on(60)
        yield load, came
        load.goes_on(60)
        until(lambda: len(load.told) >= 30)
    assert missing_and_twice(load, take) == (set(), set())
    lab.server.check()


def until(good: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not good():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.02)


def tells(load: NumberedMail, code: int) -> Callable[[], bool]:
    """Return what tells whether one more mail has ended with a reply."""
    before = list(load.told.values()).count(code)
    return lambda: list(load.told.values()).count(code) > before
