"""The last good answers, for the time while the server is away."""

import time
from collections.abc import Callable, Hashable
from typing import Any

from opensmtpd.table import Service

HALF = 2048
"""Answers in each half of a memory."""

NEVER = frozenset([Service.AUTH, Service.SOURCE, Service.RELAYHOST])
"""Services without stale answers to a key: passwords that the server checks, and lists that smtpd
takes in turn. ``Lists`` keeps these."""


class Memory:
    """Answers with the time when they came. When the young half is full, the old one goes."""

    def __init__(self) -> None:
        self._young: dict[Hashable, tuple[float, Any]] = {}
        self._old: dict[Hashable, tuple[float, Any]] = {}

    def put(self, key: Hashable, now: float, answer: Any) -> None:
        """Keep an answer."""
        self._young[key] = now, answer
        if len(self._young) >= HALF:
            self._old, self._young = self._young, {}

    def get(self, key: Hashable) -> tuple[float, Any] | None:
        """Return the last answer, and its time."""
        return self._young.get(key) or self._old.get(key)

    def drop(self, key: Hashable) -> None:
        """Forget the answer for a key."""
        self._young.pop(key, None)
        self._old.pop(key, None)


class Stale:
    """Keeps answers for some seconds.

    Those for keys without a row have a memory of their own: a client can ask for any number of
    recipients that there are not.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._found, self._absent = Memory(), Memory()

    def keep(self, key: Hashable, answer: Any, found: bool) -> None:
        """Keep the answer to a question."""
        mine, other = (self._found, self._absent) if found else (self._absent, self._found)
        mine.put(key, self._clock(), answer)
        other.drop(key)

    def find(self, key: Hashable) -> tuple[Any] | None:
        """Return the last answer, in a tuple, None where there is none or it is too old."""
        entry = self._found.get(key) or self._absent.get(key)
        if entry is None or self._clock() - entry[0] > self._seconds:
            return None
        return (entry[1],)
