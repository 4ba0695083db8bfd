"""A cache of replies: bounded in number and size; each reply expires."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.dns.question import Absent, Failed, Found, Question, Reply

ENTRIES = 20_000
"""The number of replies, at most; the least recently used one is dropped first."""
SIZE_ALL = 8 * 1024 * 1024
"""The size of all replies, at most: hostile zones could fill memory with many."""
LARGE = 8192
"""The size from which a reply is a large one: a large domain's TXT records, or a hostile answer."""
LARGE_ALL = 4 * 1024 * 1024
"""The size of all large replies, at most: they push out each other, and no others."""
RECORD_SIZE = 64
"""Bytes that a record adds to the size of a reply, besides its characters, for a Python str."""
TTL_MAX = 86400.0
"""Seconds for which a reply is remembered, at most."""
ABSENCE_MAX = 3 * 3600.0
"""Seconds for which an absence is remembered, at most (RFC 2308 section 5: one to three hours)."""
FAILURE_TTL = 5.0
"""Seconds for which a failure is remembered (RFC 2308 section 7 allows 300).

Without it, each client would wait for the same dead name server.
"""


class CacheEntry(NamedTuple):
    """A question, its reply, and the time at which the reply expires, in seconds of a clock."""

    question: Question
    reply: Reply
    expires: float


class Cache:
    """Replies by question. Every ``now`` is a time of the monotonic clock, in seconds."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._small = _Shelf(entries, SIZE_ALL)
        self._large = _Shelf(entries, LARGE_ALL)
        self.changed = False
        """True while there are replies that are not saved. The code that saves them sets False."""

    def __len__(self) -> int:
        return len(self._small.entries) + len(self._large.entries)

    def get(self, question: Question, now: float) -> Reply | None:
        """Return the reply, or None where the cache has none or it has expired."""
        entry = self.entry(question, now)
        return None if entry is None else entry.reply

    def entry(self, question: Question, now: float) -> CacheEntry | None:
        """Return the entry of a question, or None where there is none or it has expired."""
        shelf = self._small
        entry = shelf.entries.get(question)
        if entry is None:
            shelf = self._large
            entry = shelf.entries.get(question)
            if entry is None:
                return None
        if entry.expires <= now:
            shelf.drop(question)
            return None
        shelf.entries.move_to_end(question)
        return entry

    def put(self, question: Question, reply: Reply, ttl: float, now: float) -> None:
        """Remember a reply for ``ttl`` seconds; 0 drops the reply that is remembered."""
        self._small.drop(question)
        self._large.drop(question)
        if ttl <= 0:
            return
        entry = CacheEntry(question, reply, now + min(ttl, TTL_MAX))
        (self._small if size_of(entry) < LARGE else self._large).put(entry)
        self.changed |= not isinstance(reply, Failed)

    def limit(self, question: Question, ttl: float, now: float) -> None:
        """Set the expiry of a remembered absence to ``ttl`` seconds from now."""
        reply = self.get(question, now)
        if isinstance(reply, Absent):
            self.put(question, reply, ttl, now)

    def entries(self, now: float) -> Iterator[CacheEntry]:
        """Return the entries to save, without failures: large ones, then the others.

        The least recently used are the first of each. The call takes a copy at once, so that a
        thread may go through it afterwards.
        """
        entries = [*self._large.entries.values(), *self._small.entries.values()]
        return (
            entry
            for entry in entries
            if entry.expires > now and not isinstance(entry.reply, Failed)
        )

    def restore(self, entries: Iterable[CacheEntry], now: float) -> None:
        """Put back saved entries; their times are on the clock of ``now``."""
        for question, reply, expires in entries:
            self.put(question, reply, expires - now, now)
        self.changed = False


class _Shelf:
    """Entries whose number and size are bounded: the least recently used one goes first."""

    def __init__(self, most: int, room: int) -> None:
        self.entries: OrderedDict[Question, CacheEntry] = OrderedDict()
        self._most = most
        self._room = room
        self._size = 0

    def put(self, entry: CacheEntry) -> None:
        self.entries[entry.question] = entry
        self._size += size_of(entry)
        while len(self.entries) > self._most or self._size > self._room:
            self.drop(next(iter(self.entries)))

    def drop(self, question: Question) -> None:
        entry = self.entries.pop(question, None)
        if entry is not None:
            self._size -= size_of(entry)


def size_of(entry: CacheEntry) -> int:
    """Return about how many bytes of memory an entry takes."""
    records = entry.reply.records if isinstance(entry.reply, Found) else ()
    return len(entry.question.name) + sum(map(len, records)) + RECORD_SIZE * len(records)
