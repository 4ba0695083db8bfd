"""Steps as they cross to a store: plain data, with all times in whole microseconds.

A store takes one of them at a time, atomically, and by its own clock, so that several machines
agree. It forgets what has expired, and may forget more where it is full, what expires first before
the rest. Where its clock is set back, counts that began and bytes that were put in what is the
future now are none, and so are keys that were counted or seen white there; triplets that have
passed there are new; a rate is held up by no more than its burst and the greatest patience that was
had with it. So no time is longer than a step says, but for that of a key that is not white yet: it
may be longer by the hour within which it is counted once.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from opensmtpd.backends.state.results import Attempt, Greylisting, Kept, Permit

COUNT, ALLOW, GREYLIST, GET, PUT, FORGET, WHITE = range(7)
"""The first item of a step; the second is its key."""
KINDS = {COUNT: b"c", ALLOW: b"r", GREYLIST: b"g", GET: b"v", PUT: b"v", WHITE: b"w"}
"""The first letter of the keys of a kind of step in a store: each has keys of its own."""

SECOND = 1_000_000
SECONDS_MAX = 400 * 86400
"""Seconds of a time in a step, at most."""
EXACT = 2**53
"""The numbers of Lua are exact up to this one."""
AGAIN = 3600 * SECOND
"""Microseconds until a key is counted again on its way to white: an hour, as postgrey has it."""
NUMBER_MAX = 10**15
"""A count, at most."""
KEY_MAX = 200
"""Bytes of a key; a longer one is hashed."""
VALUE_MAX = 64 * 1024
"""Bytes that can be put, at most."""


class Rate(NamedTuple):
    """So many units in so many seconds, evenly, and ``burst`` units at once after a rest."""

    units: int
    seconds: float
    burst: int = 1

    @property
    def interval(self) -> int:
        """Return the microseconds between two units: rounded up, so that no more gets through."""
        return max(1, math.ceil(self.seconds * SECOND / self.units))


class GreylistTimes(NamedTuple):
    """The times of greylisting, in seconds: the defaults are those of postgrey and milter-greylist.

    ``delay`` is how long a new triplet has to wait, ``window`` within what time from its first
    attempt it has to come again, which is longer than ``delay``, ``keep`` for how long one that has
    passed is known after its last attempt.
    """

    delay: float = 300.0
    window: float = 2 * 86400.0
    keep: float = 35 * 86400.0


def key_of(parts: Sequence[str]) -> bytes:
    """Return the key of some parts: equal ones have equal keys, others have others."""
    data = [part.encode("utf-8", "surrogateescape") for part in parts]
    packed = b"\0".join(data)
    if len(packed) <= KEY_MAX and packed.count(0) == len(data) - 1:
        return b"=" + packed
    digest = hashlib.sha256()
    for each in data:
        digest.update(b"%d:" % len(each) + each)
    return b"#" + digest.digest()


def microseconds(seconds: float) -> int:
    """Return a time of a step. Raises ValueError for one that is no time above 0."""
    if not 0 < seconds <= SECONDS_MAX:
        raise ValueError(f"{seconds} is not a number of seconds from 0 to {SECONDS_MAX}")
    return max(1, round(seconds * SECOND))


def _whole(number: int, least: int) -> int:
    """Return a number of a step. A fraction is refused, too: no store replies with one."""
    if not isinstance(number, int) or not least <= number <= NUMBER_MAX:
        raise ValueError(f"{number} is not a whole number from {least} to {NUMBER_MAX}")
    return number


def count(key: bytes, by: int, window: float) -> list[Any]:
    """Return the step that adds to a count. Raises ValueError."""
    return [COUNT, key, _whole(by, 0), microseconds(window)]


def allow(key: bytes, rate: Rate, cost: int, patience: float) -> list[Any] | None:
    """Return the step that asks a rate; None where it never allows that much. Raises ValueError."""
    for number in (cost, rate.units, rate.burst):
        _whole(number, 1)
    microseconds(rate.seconds)
    if not 0 <= patience <= SECONDS_MAX:
        raise ValueError(f"a patience of {patience} is not from 0 to {SECONDS_MAX} seconds")
    step, limit = cost * rate.interval, rate.burst * rate.interval
    wait = round(patience * SECOND)
    if limit > SECONDS_MAX * SECOND:
        raise ValueError(f"the rate fills up in more than {SECONDS_MAX} seconds")
    return None if step > limit + wait else [ALLOW, key, step, limit, wait]


def greylist(key: bytes, times: GreylistTimes) -> list[Any]:
    """Return the step of an attempt. Raises ValueError, as for times by which nothing passes."""
    delay, window, keep = map(microseconds, times)
    if delay >= window:  # a triplet would be forgotten before it may pass
        raise ValueError(f"a delay of {times.delay} seconds, and a window of {times.window}")
    return [GREYLIST, key, delay, window, keep]


def put(key: bytes, value: bytes, seconds: float) -> list[Any]:
    """Return the step that keeps bytes. Raises ValueError."""
    if len(value) > VALUE_MAX:
        raise ValueError(f"{len(value)} bytes to keep, more than {VALUE_MAX}")
    return [PUT, key, value, microseconds(seconds)]


def white(key: bytes, by: int, enough: int, keep: float) -> list[Any]:
    """Return the step that counts a key until it is white. Raises ValueError."""
    return [WHITE, key, _whole(by, 0), _whole(enough, 1), AGAIN, microseconds(keep)]


# --- replies of a store ---------------------------------------------------------------------------


def number(reply: Any) -> int:
    """Return a count. Raises ValueError or TypeError for what is none, as the others."""
    if type(reply) is not int:
        raise TypeError
    if reply < 0:
        raise ValueError
    return reply


def permit(wait: int, reply: Any) -> Permit:
    """Return the result of ``[allowed, microseconds]``; ``wait`` is the patience of the step."""
    allowed, after = reply
    if number(allowed) and number(after) > wait:
        raise ValueError
    return Permit(bool(allowed), number(after) / SECOND)


def greylisting(times: GreylistTimes, reply: Any) -> Greylisting:
    """Return the result of ``[attempt, age]``."""
    attempt, age = reply
    found, seconds = Attempt(number(attempt)), number(age) / SECOND
    wait = 0.0 if found >= Attempt.PASSED else max(0.0, times.delay - seconds)
    return Greylisting(found, seconds, wait)


def is_white(reply: Any) -> bool:
    """Return the result of 0 or 1."""
    found = number(reply)
    if found > 1:
        raise ValueError
    return found == 1


def kept(reply: Any) -> Kept | None:
    """Return the result of ``[bytes, microseconds]`` or None."""
    if reply is None:
        return None
    value, left = reply
    if not isinstance(value, bytes):
        raise TypeError
    return Kept(value, number(left) / SECOND)
