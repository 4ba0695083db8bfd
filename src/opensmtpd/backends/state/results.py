"""The results of steps."""

from enum import Enum, IntEnum
from typing import Final, NamedTuple, TypeAlias


class StateUnknown(Enum):
    """The result of a step that could not be taken in time: its store is away, full or broken."""

    UNKNOWN = "unknown"


UNKNOWN: Final = StateUnknown.UNKNOWN
MaybePermit: TypeAlias = "Permit | StateUnknown"
MaybeGreylisting: TypeAlias = "Greylisting | StateUnknown"


class Permit(NamedTuple):
    """The answer of a rate."""

    allowed: bool
    after: float
    """Seconds to wait: before it is done where it is allowed, before it is asked again where not.

    Infinite where it can never be allowed.
    """


class Attempt(IntEnum):
    """The state of a greylisted triplet at this attempt."""

    NEW = 0
    """It was not known."""
    EARLY = 1
    """It is known, and the delay is not over."""
    PASSED = 2
    """The delay is over: it passes for the first time."""
    KNOWN = 3
    """It has passed before."""


class Greylisting(NamedTuple):
    """The result of an attempt."""

    attempt: Attempt
    age: float
    """Seconds since the first attempt."""
    wait: float
    """Seconds until it may pass; 0.0 where it passes."""

    @property
    def passes(self) -> bool:
        """Return whether the triplet passes now."""
        return self.attempt >= Attempt.PASSED


class Kept(NamedTuple):
    """Bytes that were put."""

    value: bytes
    left: float
    """Seconds until they expire."""
