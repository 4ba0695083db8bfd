"""Replies that are remembered: bounded, each until its time is over."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.dns.questions import Absent, Failed, Found, Question, Reply

ENTRIES = 20_000
"""Replies at most; the one that was wanted longest ago goes first."""
SIZE_MAX = 4096
"""Characters of a reply that is kept. Larger ones come from those who want to fill memory."""
SIZE_ALL = 8 * 1024 * 1024
"""Characters of all that is kept, which hostile zones could fill."""
TTL_MAX = 86400.0
"""Seconds that anything is remembered at most."""
ABSENCE_MAX = 3 * 3600.0
"""Seconds that an absence is, whatever its zone says (RFC 2308 section 5: one to three hours)."""
FAILURE_TTL = 5.0
"""Seconds that a failure is (RFC 2308 section 7 allows 300): not every client need wait for it."""


class Entry(NamedTuple):
    """A reply, and until when it is good."""

    question: Question
    reply: Reply
    expires: float


class Cache:
    """Replies by question. ``now`` is a monotonic clock's, in seconds."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries: OrderedDict[Question, Entry] = OrderedDict()
        self._most = entries
        self._size = 0  # characters
        self.changed = False
        """Is there anything that was not saved? Whoever saves it, clears this."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, question: Question, now: float) -> Reply | None:
        """Return the reply, None where there is none that is still good."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        if entry.expires <= now:
            self._drop(question)
            return None
        self._entries.move_to_end(question)
        return entry.reply

    def put(self, question: Question, reply: Reply, ttl: float, now: float) -> None:
        """Remember a reply for ``ttl`` seconds; 0 forgets an older one."""
        self._drop(question)
        size = _size(question, reply)
        if ttl <= 0 or size > SIZE_MAX:
            return
        self._entries[question] = Entry(question, reply, now + min(ttl, TTL_MAX))
        self._size += size
        self.changed |= not isinstance(reply, Failed)
        while len(self._entries) > self._most or self._size > SIZE_ALL:
            self._drop(next(iter(self._entries)))

    def _drop(self, question: Question) -> None:
        entry = self._entries.pop(question, None)
        if entry is not None:
            self._size -= _size(question, entry.reply)

    def limit(self, question: Question, ttl: float, now: float) -> None:
        """Have an absence that is remembered end ``ttl`` seconds from now."""
        if isinstance(self.get(question, now), Absent):
            self.put(question, Absent(), ttl, now)

    def entries(self, now: float) -> Iterator[Entry]:
        """Return what is worth keeping, the least wanted first: no failures.

        A copy is taken at once; to go through it takes longer, and may be done in a thread.
        """
        entries = list(self._entries.values())
        return (
            entry
            for entry in entries
            if entry.expires > now and not isinstance(entry.reply, Failed)
        )

    def restore(self, entries: Iterable[Entry], now: float) -> None:
        """Take back what ``entries`` once returned; their times are on the clock of ``now``."""
        for question, reply, expires in entries:
            self.put(question, reply, expires - now, now)
        self.changed = False


def _size(question: Question, reply: Reply) -> int:
    """Return the characters of an entry."""
    records = reply.records if isinstance(reply, Found) else ()
    return len(question.name) + sum(map(len, records))
