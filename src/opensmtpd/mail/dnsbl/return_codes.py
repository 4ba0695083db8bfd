"""Return codes of DNS lists, and patterns of them: ``127.0.0.2``, ``127.0.0.[2,4,10-11]``."""

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from opensmtpd.errors import ConfigError

Octets: TypeAlias = frozenset[int]

_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}")
_REMEDY = "write a return code: 127.0.0.2, 127.0.0.[2-4], 127.0.0.[2,4,10-11]"
NOT_LISTED = "127.0.0.1"
"""The code with which SURBL and URIBL refuse questions. It counts only where a mask matches it."""


class Mask(NamedTuple):
    """The values that each octet of a return code may have."""

    first: Octets
    second: Octets
    third: Octets
    fourth: Octets

    def matches(self, code: str) -> bool:
        """Return whether the mask matches ``code``, an IPv4 address as text."""
        return all(int(octet) in each for octet, each in zip(code.split("."), self, strict=True))


def mask(text: str) -> Mask:
    """Return the mask in a text. Raises ConfigError."""
    try:
        return _mask(text.split("."))
    except ConfigError as error:
        raise ConfigError(f"{text!r}: {error.message}", remedy=error.remedy) from None


def _mask(parts: Sequence[str]) -> Mask:
    if len(parts) != 4:
        raise ConfigError("a mask has four parts", remedy=_REMEDY)
    octets = [_octets(part) for part in parts]
    if octets[0] != {127}:
        raise ConfigError("a mask begins with 127", remedy=_REMEDY)
    return Mask(*octets)


def _octets(part: str) -> Octets:
    if not (part.startswith("[") and part.endswith("]")):
        return frozenset([_octet(part)])
    found: set[int] = set()
    for each in part[1:-1].split(","):
        first, dash, last = each.partition("-")
        low, high = _octet(first), _octet(last if dash else first)
        if high < low:
            raise ConfigError(f"{low}-{high} is no range", remedy="the lower number comes first")
        found.update(range(low, high + 1))
    return frozenset(found)


def _octet(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > 255:
        raise ConfigError("a part of a mask is a number from 0 to 255", remedy=_REMEDY)
    return int(text)


def listed(codes: Sequence[str], masks: Sequence[Mask]) -> list[str]:
    """Return the codes that mean "listed": those of a mask, or without masks all but NOT_LISTED."""
    if not masks:
        return [code for code in codes if code != NOT_LISTED]
    return [code for code in codes if any(each.matches(code) for each in masks)]


def complaint(codes: Sequence[str], allow: bool = False) -> str | None:
    """Return why the codes are not an answer of the list, None if they are one.

    Spamhaus and others refuse questions with 127.255.255.x, allow lists with 127.0.0.255. A list's
    codes are in 127.0.0.0/8 (RFC 5782 section 2.1); another address is that of a web server for
    domains on sale, or of a provider that answers for names that do not exist.
    """
    for code in codes:
        if not code.startswith("127."):
            return f"it answers with an address, {code}"
        if code.startswith("127.255.255.") or (allow and code == "127.0.0.255"):
            return f"it refuses us with {code}"
    return None
