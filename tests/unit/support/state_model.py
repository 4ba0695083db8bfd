"""A model of shared state, in plain Python: what each step means, on a clock of microseconds."""

from collections.abc import Callable
from typing import Any

from opensmtpd.backends.state.steps import (
    ALLOW,
    COUNT,
    FORGET,
    GET,
    GREYLIST,
    NUMBER_MAX,
    PUT,
    WHITE,
)


class StateModel:
    """Takes steps as a store does; ``now`` is the time, which a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000
        self._counts: dict[bytes, tuple[int, int, int]] = {}
        self._used_until: dict[bytes, tuple[int, int]] = {}
        self._triplets: dict[bytes, tuple[int, int, int]] = {}
        self._values: dict[bytes, tuple[bytes, int, int]] = {}
        self._white: dict[bytes, tuple[int, int, int]] = {}

    def take(self, step: list[Any]) -> Any:
        kind, key, *arguments = step
        takes: dict[int, Callable[..., Any]] = {
            COUNT: self._count,
            ALLOW: self._allow,
            GREYLIST: self._greylist,
            GET: self._get,
            PUT: self._put,
            FORGET: self._forget,
            WHITE: self._whiten,
        }
        return takes[kind](key, *arguments)

    def _count(self, key: bytes, by: int, window: int) -> int:
        total, begin, end = self._counts.get(key, (0, self.now, self.now))
        alive = begin <= self.now < end
        if by == 0:
            return total if alive else 0
        if alive:
            total, end = min(total + by, NUMBER_MAX), min(end, self.now + window)
        else:
            total, begin, end = by, self.now, self.now + window
        self._counts[key] = total, begin, end
        return total

    def _allow(self, key: bytes, step: int, limit: int, wait: int) -> list[int]:
        latest = self.now + limit + wait
        used, patience = self._used_until.get(key, (self.now, 0))
        if used <= self.now:
            used, patience = self.now, 0
        used = min(used, self.now + limit + max(patience, wait))
        if used + step <= latest:
            self._used_until[key] = used + step, max(patience, wait)
            return [1, max(0, used + step - limit - self.now)]
        self._used_until[key] = used, patience
        return [0, used + step - latest]

    def _greylist(self, key: bytes, delay: int, window: int, keep: int) -> list[int]:
        first, passed, end = self._triplets.get(key, (self.now, 0, self.now))
        if not passed <= self.now < end:
            self._triplets[key] = self.now, 0, self.now + window
            return [0, 0]
        waited = self.now - first
        first = min(first, self.now)
        if passed or waited >= delay:
            self._triplets[key] = first, self.now, self.now + keep
            return [3 if passed else 2, self.now - first]
        self._triplets[key] = first, 0, min(end, first + window)
        return [1, self.now - first]

    def _whiten(self, key: bytes, by: int, enough: int, again: int, keep: int) -> int:
        total, last, end = self._white.get(key, (0, 0, 0))
        if not last <= self.now < end:
            total, last = 0, 0
        counted = total
        if by:
            counted = max(by, total + (self.now - last >= again))
        if counted > total or counted >= enough:
            last = self.now
        if by or counted >= enough:
            self._white[key] = min(counted, NUMBER_MAX), last, self.now + keep
        return int(counted >= enough)

    def _get(self, key: bytes) -> list[Any] | None:
        value, put, end = self._values.get(key, (b"", 0, 0))
        return [value, end - self.now] if put <= self.now < end else None

    def _put(self, key: bytes, value: bytes, seconds: int) -> bool:
        self._values[key] = value, self.now, self.now + seconds
        return True

    def _forget(self, key: bytes) -> bool:
        self._counts.pop(key, None)
        self._used_until.pop(key, None)
        self._triplets.pop(key, None)
        self._values.pop(key, None)
        self._white.pop(key, None)
        return True
