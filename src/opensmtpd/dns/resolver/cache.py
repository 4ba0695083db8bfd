"""A cache of replies: bounded in number and size; each reply expires."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.dns.question import Absent, Failed, Found, Question, Reply

ENTRIES = 20_000
"""The number of replies, at most; the least recently used one is dropped first."""
SIZE_MAX = 4096
"""Characters of a reply, at most. A larger reply is most likely meant to fill memory."""
SIZE_ALL = 8 * 1024 * 1024
"""Characters of all replies, at most: hostile zones could fill memory with many."""
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
        self._entries: OrderedDict[Question, CacheEntry] = OrderedDict()
        self._most = entries
        self._size = 0  # characters
        self.changed = False
        """True while there are replies that are not saved. The code that saves them sets False."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, question: Question, now: float) -> Reply | None:
        """Return the reply, or None where the cache has none or it has expired."""
        entry = self.entry(question, now)
        return None if entry is None else entry.reply

    def entry(self, question: Question, now: float) -> CacheEntry | None:
        """Return the entry of a question, or None where there is none or it has expired."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        if entry.expires <= now:
            self._drop(question)
            return None
        self._entries.move_to_end(question)
        return entry

    def put(self, question: Question, reply: Reply, ttl: float, now: float) -> None:
        """Remember a reply for ``ttl`` seconds; 0 drops the reply that is remembered."""
        self._drop(question)
        size = _size(question, reply)
        if ttl <= 0 or size > SIZE_MAX:
            return
        self._entries[question] = CacheEntry(question, reply, now + min(ttl, TTL_MAX))
        self._size += size
        self.changed |= not isinstance(reply, Failed)
        while len(self._entries) > self._most or self._size > SIZE_ALL:
            self._drop(next(iter(self._entries)))

    def _drop(self, question: Question) -> None:
        entry = self._entries.pop(question, None)
        if entry is not None:
            self._size -= _size(question, entry.reply)

    def limit(self, question: Question, ttl: float, now: float) -> None:
        """Set the expiry of a remembered absence to ``ttl`` seconds from now."""
        reply = self.get(question, now)
        if isinstance(reply, Absent):
            self.put(question, reply, ttl, now)

    def entries(self, now: float) -> Iterator[CacheEntry]:
        """Return the entries to save, the least recently used first, without failures.

        The call takes a copy at once, so that a thread may go through it afterwards.
        """
        entries = list(self._entries.values())
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


def _size(question: Question, reply: Reply) -> int:
    """Return the number of characters of an entry."""
    records = reply.records if isinstance(reply, Found) else ()
    return len(question.name) + sum(map(len, records))
