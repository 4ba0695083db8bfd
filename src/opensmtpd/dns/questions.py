"""What is asked of the DNS, and the three kinds of replies, which are never mixed."""

from collections.abc import Sequence
from enum import StrEnum
from math import inf
from typing import NamedTuple, Protocol, TypeAlias


class Kind(StrEnum):
    """The types of records that can be asked for."""

    A = "A"
    AAAA = "AAAA"
    PTR = "PTR"
    TXT = "TXT"
    MX = "MX"
    SOA = "SOA"


class Question(NamedTuple):
    """A question."""

    name: str
    """Lower case ASCII without a final dot; ``names.askable`` is true of it."""
    kind: Kind


class _Reply:
    """No tuple, so that no reply is ever equal to one of another kind, or false."""

    __slots__: tuple[str, ...] = ("landed",)

    landed: float
    """When it came, on the monotonic clock: what is remembered is no news. Not compared."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(other, name) == getattr(self, name) for name in self.__slots__
        )

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.__slots__)))

    def __repr__(self) -> str:
        values = (f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({', '.join(values)})"


class Found(_Reply):
    """An answer. Nothing else of what the DNS says gets here."""

    __slots__ = ("records",)

    def __init__(self, records: tuple[str, ...]) -> None:
        """``records``, at least one, are of A and AAAA: addresses in their usual form; of PTR and
        MX: askable names in lower case, MX by preference; of TXT: text with a character for each
        octet, the strings of a record joined; of SOA: the seconds for which absence may be
        remembered (RFC 2308 section 5).
        """
        self.records = records
        self.landed = inf


class Absent(_Reply):
    """There is no such name, or it has no such records: that is proven."""

    __slots__ = ()

    def __init__(self) -> None:
        self.landed = inf


class Failed(_Reply):
    """It could not be found out: a timeout, SERVFAIL, REFUSED, no name server."""

    __slots__ = ("ours", "reason")

    def __init__(self, reason: str, ours: bool = False) -> None:
        """``reason`` is short and printable; ``ours``: the fault is not a name server's."""
        self.reason = reason
        self.ours = ours
        self.landed = inf


Reply: TypeAlias = Found | Absent | Failed


class Dns(Protocol):
    """Whoever replies to questions: ``Resolver``, or plain data in tests."""

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        """Return all replies at once, or None where one of them would have to be asked for."""

    async def ask(self, questions: Sequence[Question], until: float) -> list[Reply]:
        """Return all replies, in order, by the time ``until`` of the loop's clock.

        What is not answered by then is ``Failed``. Never raises for what the DNS does.
        """

    def renew(self) -> None:
        """Find out anew which name servers there are: they may have changed."""

    def save(self) -> None:
        """Keep what is remembered for the next process, where that was asked for."""
