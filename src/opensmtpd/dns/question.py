"""Questions to the DNS, and the three kinds of replies, which are never mixed.

``Absent`` is a proven answer and ``Failed`` is no answer: a decision must not confuse them.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import inf
from typing import NamedTuple, Protocol, TypeAlias

from opensmtpd.answer import Deferred


class RecordType(StrEnum):
    """The types of records that a question can ask for (RFC 1035 section 3.2.2, RFC 3596)."""

    A = "A"
    AAAA = "AAAA"
    PTR = "PTR"
    TXT = "TXT"
    MX = "MX"
    SOA = "SOA"


class Question(NamedTuple):
    """A name and the type of its records that are asked for, in class IN."""

    name: str
    """The name without a final dot, a character for each octet; ASCII letters are lower case.

    ``names.is_wire_name`` is true of it: any other name has the reply ``Failed``.
    """
    kind: RecordType


class _Reply:
    """The base class of the three kinds of replies.

    A reply is not a tuple: it equals only replies of its own class, and it is always true.
    """

    __slots__: tuple[str, ...] = ("received_at",)

    received_at: float
    """The time at which the name server's reply came, in seconds of the monotonic clock.

    A remembered reply keeps the time of the first one. Comparisons leave it out.
    """

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
    """The records of an answer. Nothing else of an answer gets here."""

    __slots__ = ("records",)

    def __init__(self, records: tuple[str, ...]) -> None:
        """Take the records, at least one.

        A and AAAA: addresses in their usual form. PTR: query names in lower case. MX: names of
        printable ASCII in lower case, by preference, equal ones as often as they came. TXT: text
        with a character for each octet, the strings of a record joined, as often as they came.
        SOA: the seconds for which an absence may be remembered (RFC 2308 section 5).
        """
        self.records = records
        self.received_at = inf


class Absent(_Reply):
    """The name does not exist, or it has no records of this type: name servers said so.

    RFC 2308 calls these NXDOMAIN (section 2.1) and NODATA (section 2.2). Two absences are equal
    where they agree in this; most decisions ask for the class alone.
    """

    __slots__ = ("nxdomain",)

    def __init__(self, nxdomain: bool = False) -> None:
        """``nxdomain`` tells that there is nothing at the name, nor below it (RFC 8020).

        It is False where the name has records of other types, or has names below it, and where an
        answer held no record that can be used.
        """
        self.nxdomain = nxdomain
        self.received_at = inf


class Failed(_Reply):
    """The question was not answered: a timeout, SERVFAIL, REFUSED, no name server."""

    __slots__ = ("ours", "reason")

    def __init__(self, reason: str, ours: bool = False) -> None:
        """Take a short, printable reason; ``ours`` tells that no name server is to blame."""
        self.reason = reason
        self.ours = ours
        self.received_at = inf


Reply: TypeAlias = Found | Absent | Failed


class Dns(Protocol):
    """An object that replies to questions: ``Resolver``, or plain data in tests."""

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        """Return all replies at once, or None where a name server has to be asked for one."""

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        """Return a Deferred for all replies, in order, by ``until``, a time of ``time.monotonic``.

        A question without an answer by then has the reply ``Failed``. Nothing that the DNS does
        raises an exception.
        """

    def start(self, questions: Sequence[Question]) -> None:
        """Begin to ask what is not known; nobody waits for the replies, which are remembered.

        Who asks later waits for the question that is under way.
        """

    def reread_servers(self) -> None:
        """Read again which name servers there are: they may have changed."""

    def save(self) -> None:
        """Write the remembered replies to the cache file, if there is one."""
