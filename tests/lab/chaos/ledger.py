"""What became of each message: what its client was told, and how often it was delivered."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import Literal

Told = Literal["accepted", "tempfailed", "refused", "cut", "no answer"]
"""What a client was told of a message: ``cut`` is a connection that ended before the answer."""

COPIES: dict[Told, tuple[int, ...]] = {
    "accepted": (1,),
    "tempfailed": (0,),
    "refused": (0,),
    "cut": (0, 1),
    "no answer": (0, 1),
}
"""The number of copies that the archive may have."""
FIELD = b"X-Chaos"
"""The header field with the number of a message."""


@dataclass
class Row:
    """A line of the table: what became of the messages that were sent under one fault."""

    fault: str
    times: int = 0
    told: Counter[str] = field(default_factory=Counter)
    once: int = 0
    lost: int = 0
    twice: int = 0
    unsigned: int = 0
    """Delivered messages whose signature does not hold, or is not there."""
    unkept: int = 0
    """Accepted messages of which the archive has not one copy, and others of which it has one."""
    stops: int = 0
    silence: float = 0.0
    """Seconds that a client at most waited for an answer that has nothing to do with the fault."""

    whole: float = 0.0
    """Seconds from the end of the fault until the end of a message that was begun behind it."""

    @property
    def sent(self) -> int:
        """Messages that clients tried to send."""
        return sum(self.told.values())

    @property
    def well(self) -> bool:
        """Is this what we promise?"""
        told = self.told["refused"] or self.told["no answer"]
        bad = (self.lost, self.twice, self.unsigned, self.unkept, self.stops, told)
        return not any(bad) and self.whole < inf


class Ledger:
    """All messages of a run; each belongs to the fault that was at work when it was sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = [Row("before")]
        self._told: list[tuple[Row, Told]] = []
        self._delivered: Counter[int] = Counter()
        self._kept: Counter[int] = Counter()
        self._flaws: dict[int, str] = {}
        self._outstanding: set[int] = set()

    def begin(self, fault: str) -> Row:
        """From now on messages belong to this fault."""
        row = Row(fault)
        with self._lock:
            self._faults.append(row)
        return row

    @property
    def now(self) -> Row:
        """The row of the fault that is at work."""
        return self._faults[-1]

    def number(self) -> int:
        """Return the number of a message that is about to be sent."""
        with self._lock:
            self._told.append((self.now, "cut"))
            return len(self._told) - 1

    def told(self, number: int, told: Told) -> None:
        """Take what the client of a message was told at the end."""
        with self._lock:
            row, _ = self._told[number]
            self._told[number] = (row, told)
            if told == "accepted" and not self._delivered[number]:
                self._outstanding.add(number)

    def delivered(self, number: int, flaw: str | None) -> None:
        """Take that a message was delivered, and what is wrong with its signature.

        A message of a hostile client has no number, which is -1 here: it may be as it likes.
        """
        if number < 0:
            return
        with self._lock:
            self._delivered[number] += 1
            self._outstanding.discard(number)
            if flaw:
                self._flaws[number] = flaw

    def kept(self, number: int) -> None:
        """Take that there was a copy of a message."""
        with self._lock:
            self._kept[number] += 1

    def accepted_since(self, count: int) -> bool:
        """Return whether one of the messages behind the first ``count`` was accepted."""
        with self._lock:
            return any(told == "accepted" for _, told in self._told[count:])

    def __len__(self) -> int:
        """Return the number of messages that were begun."""
        return len(self._told)

    @property
    def outstanding(self) -> int:
        """Messages that were accepted, and not delivered yet."""
        return len(self._outstanding)

    @property
    def flaws(self) -> list[str]:
        """What is wrong with signatures, each kind once."""
        return sorted(set(self._flaws.values()))

    def rows(self) -> list[Row]:
        """Count, and return the rows in the order of their faults."""
        with self._lock:
            for row in self._faults:
                row.told.clear()
                row.once = row.lost = row.twice = row.unsigned = row.unkept = 0
            for number, (row, told) in enumerate(self._told):
                row.told[told] += 1
                count = self._delivered[number]
                row.once += count == 1
                row.twice += count > 1
                row.lost += told == "accepted" and not count
                row.unsigned += number in self._flaws
                row.unkept += self._kept[number] not in COPIES[told]
            return self._faults[not self._faults[0].told :]
