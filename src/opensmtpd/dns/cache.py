"""Replies that are remembered: bounded, each until its time is over."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.dns.questions import Absent, Failed, Found, Question, Reply

ENTRIES = 20_000
"""Replies at most; the one that was wanted longest ago goes first."""
SIZE_MAX = 4096
"""Characters of a reply that is kept. Larger ones come from those who want to fill memory."""
TTL_MAX = 86400.0
"""Seconds that anything is remembered at most."""
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
        self._size = entries
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
            del self._entries[question]
            return None
        self._entries.move_to_end(question)
        return entry.reply

    def put(self, question: Question, reply: Reply, ttl: float, now: float) -> None:
        """Remember a reply for ``ttl`` seconds; 0 forgets an older one."""
        self._entries.pop(question, None)
        if ttl <= 0 or (isinstance(reply, Found) and sum(map(len, reply.records)) > SIZE_MAX):
            return
        self._entries[question] = Entry(question, reply, now + min(ttl, TTL_MAX))
        self.changed |= not isinstance(reply, Failed)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

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
