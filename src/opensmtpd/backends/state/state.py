"""The state of a filter, as its handlers use it: no method waits, and no step refuses mail.

::

    state = file_state("/var/lib/opensmtpd-plugins/greylist/state.db")


    def on_rcpt_to(self, recipient: Recipient) -> Deferred[Decision]:
        parts = (network, sender, recipient.address)
        return state.greylist(parts, GreylistTimes()).then(self._decide)


    def _decide(self, found: Greylisting | StateUnknown) -> Decision:
        if found is UNKNOWN or found.passes:
            return PROCEED
        return Reject(451, "4.7.1 greylisted")
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from opensmtpd.answer import Deferred
from opensmtpd.backends.state import steps
from opensmtpd.backends.state.outage import Outage
from opensmtpd.backends.state.results import (
    UNKNOWN,
    Kept,
    MaybeGreylisting,
    MaybePermit,
    Permit,
    StateUnknown,
)
from opensmtpd.backends.state.steps import GreylistTimes, Rate
from opensmtpd.worker import Pool

FILE_WORKER = "opensmtpd.backends.state.file.worker:FileWorker"
MEMORY_WORKER = "opensmtpd.backends.state.file.memory:MemoryWorker"
VALKEY_WORKER = "opensmtpd.backends.state.valkey.worker:ValkeyWorker"
DEADLINE = 3.0
"""Seconds until a step is UNKNOWN: handlers have much more."""
EARLY = 0.1
"""The fraction of this time that a worker leaves, so that its own reason gets into the log."""
WINDOW = 64
"""Steps that a worker has at a time, at most: it may send them together."""
QUEUE = 4000
"""Steps that are not taken yet, at most."""
SIZE = 128 << 20
"""Bytes of a file, at most: about a million triplets."""
MEMORY = 64 << 20
"""Bytes of a state in memory, at most: about half a million triplets."""

T = TypeVar("T")


class LastingState:
    """Steps, each atomic. A key is what its parts say; each kind of step has keys of its own.

    A step whose store does not do it in time ends with UNKNOWN, for which a filter decides as if
    there was no state. A step may be taken twice where the connection to a server breaks.
    Times are in seconds. Methods raise ValueError for numbers that no step can have.
    """

    def __init__(self, worker: str, setup: object, deadline: float = DEADLINE) -> None:
        """Start ``worker``, with its setup: it returns the store's name. Raises ConfigError."""
        self._early = deadline * (1 - EARLY)
        self._pool = Pool(worker, setup, deadline=deadline, queue=QUEUE, window=WINDOW)
        self._outage = Outage(str(self._pool.loaded))

    def count(self, key: Sequence[str], window: float, by: int = 1) -> Deferred[int | StateUnknown]:
        """Add to a count, and return it. It begins anew ``window`` after it began.

        Where ``by`` is 0, the count is only read.
        """
        return self._take(steps.count(steps.key_of(key), by, window), steps.number)

    def allow(
        self, key: Sequence[str], rate: Rate, cost: int = 1, patience: float = 0.0
    ) -> Deferred[MaybePermit]:
        """Take ``cost`` units of a rate, if it allows them now, or within ``patience``.

        This is the generic cell rate algorithm (ITU-T I.371). What is taken within ``patience`` is
        to be done ``Permit.after`` seconds later; others stand in line behind it, also those who
        have less patience. All that ask for a key are to have the same rate: the line is forgotten
        as far as it is longer than the burst of one, and the greatest patience that got into it.
        """
        step = steps.allow(steps.key_of(key), rate, cost, patience)
        if step is None:
            return _settled(Permit(False, math.inf))
        return self._take(step, partial(steps.permit, step[-1]))

    def greylist(self, key: Sequence[str], times: GreylistTimes) -> Deferred[MaybeGreylisting]:
        """Note an attempt of a triplet, and return whether it passes."""
        step = steps.greylist(steps.key_of(key), times)
        return self._take(step, partial(steps.greylisting, times))

    def white(
        self, key: Sequence[str], enough: int, keep: float, by: int = 0
    ) -> Deferred[bool | StateUnknown]:
        """Return whether a key is white: it has been counted ``enough`` times.

        With ``by``, it is counted before that: one more, where the last time is an hour ago or
        more, and ``by`` times at least. It is known for ``keep`` seconds after it was counted or
        seen white for the last time. All that ask for a key are to have the same ``enough``.
        """
        return self._take(steps.white(steps.key_of(key), by, enough, keep), steps.is_white)

    def get(self, key: Sequence[str]) -> Deferred[Kept | StateUnknown | None]:
        """Return the bytes that were put, None where there are none."""
        return self._take([steps.GET, steps.key_of(key)], steps.kept)

    def put(
        self, key: Sequence[str], value: bytes, seconds: float
    ) -> Deferred[bool | StateUnknown]:
        """Keep bytes for so many seconds, in the place of others. Return True."""
        return self._take(steps.put(steps.key_of(key), value, seconds), _done)

    def forget(self, key: Sequence[str]) -> Deferred[bool | StateUnknown]:
        """Forget all that steps of any kind know of a key. Return True."""
        return self._take([steps.FORGET, steps.key_of(key)], _done)

    def close(self) -> None:
        """End the worker. Steps that are under way are UNKNOWN."""
        self._pool.close()

    def _take(self, step: list[Any], read: Callable[[Any], T]) -> "Deferred[T | StateUnknown]":
        if not self._outage.asks():
            return _settled(UNKNOWN)
        result: Deferred[T | StateUnknown] = Deferred()
        asked = self._pool.ask([monotonic() + self._early, *step])
        asked.on_end(partial(self._end, result, read))
        return result

    def _end(
        self,
        result: Deferred[Any],
        read: Callable[[Any], object],
        reply: Any,
        error: BaseException | None,
    ) -> None:
        if error is None:
            try:
                found = read(reply)
            except (ValueError, TypeError):
                error = ValueError("the store answers nonsense")
        if error is not None:
            self._outage.failed(error)
            result.settle(UNKNOWN)
            return
        self._outage.answered()
        result.settle(found)


def _settled(value: Any) -> Deferred[Any]:
    settled: Deferred[Any] = Deferred()
    settled.settle(value)
    return settled


def _done(reply: Any) -> bool:
    if reply is not True:
        raise TypeError
    return True


def file_state(
    path: str, *, size: int = SIZE, deadline: float = DEADLINE, new: bool = True
) -> LastingState:
    """Return the state in a file, of ``size`` bytes at most, which nobody else may write.

    It is made where it is missing, unless it is not to be ``new``: it would belong to whoever only
    checks a configuration. A lock of another process is waited for half a second: ``deadline`` is
    to be longer. Raises ConfigError for a path that cannot be used.
    """
    return LastingState(FILE_WORKER, [path, size, new], deadline)


def memory_state(*, size: int = MEMORY, deadline: float = DEADLINE) -> LastingState:
    """Return a state in the memory of its worker, of ``size`` bytes at most, and lost with it.

    A worker that dies, or that does not answer within ``deadline``, is replaced by one that knows
    nothing. Raises ConfigError where Python has an SQLite that is too old.
    """
    return LastingState(MEMORY_WORKER, size, deadline)


def server_state(url: str, *, prefix: str, deadline: float = DEADLINE) -> LastingState:
    """Return the state on a server of Valkey or Redis: see ``valkey.address`` for its URL.

    All keys begin with ``prefix``, where the URL has no other. Raises ConfigError for a URL, or a
    file that it names, that cannot be used; a server that is away is found out by the first step.
    """
    return LastingState(VALKEY_WORKER, [url, prefix], deadline)
