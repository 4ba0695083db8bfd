"""Rates as an administrator writes them: ``200/1h``, ``10M/d``."""

import math
import re

from opensmtpd.backends.state import steps
from opensmtpd.backends.state.steps import Rate

_TIME = re.compile(r"([0-9]{0,6})([smhd])")
_NUMBER = re.compile(r"([0-9]{1,12})([KMG]?)")
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
FINE = 100
"""Microseconds of a unit, at least: they are whole ones, and one more is a hundredth at most."""


def number(text: str) -> int:
    """Return a number above 0, which K, M or G multiplies. Raises ValueError."""
    match = _NUMBER.fullmatch(text)
    value = int(match[1]) * _FACTORS[match[2]] if match else 0
    if not value:
        raise ValueError(f"{text!r} is not a number above 0, such as 20 or 10M")
    return value


def duration(text: str) -> float:
    """Return the seconds of ``30s``, ``10m``, ``1h``, ``7d``, or ``h`` alone. Raises ValueError."""
    match = _TIME.fullmatch(text)
    seconds = int(match[1] or 1) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= steps.SECONDS_MAX:
        raise ValueError(f"{text!r} is not a time up to 400d, such as 30s, 10m, 1h or 7d")
    return float(seconds)


def rate(text: str, burst: int | None = None) -> Rate:
    """Return a rate. By default as much comes at once as in the whole time. Raises ValueError."""
    units, slash, time = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} is not a rate such as 200/1h" if text else "there is no rate")
    found = Rate(number(units), duration(time), 1)
    found = found._replace(burst=found.units if burst is None else burst)
    steps.allow(b"", found, 1, 0.0)
    return found


def in_grains(rate: Rate) -> tuple[Rate, int]:
    """Return a rate of grains in the place of one of bytes, and how many bytes are a grain.

    Without them no rate would allow more than a byte in a microsecond. Raises ValueError.
    """
    grain = math.ceil(rate.units * FINE / (rate.seconds * steps.SECOND))
    coarse = Rate(rate.units // grain, rate.seconds, math.ceil(rate.burst / grain))
    steps.allow(b"", coarse, 1, 0.0)
    return coarse, grain
