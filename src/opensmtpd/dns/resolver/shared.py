"""Replies that several machines share: what one of them has asked, the others need not ask.

An entry is a msgpack array of a version, the records or, for an absence, whether the name does not
exist, and its expiry on the wall clock. It is checked as those of ``process.cache_file`` are; the
store tells entries of others from ours, where it has a secret. Failures are not shared.
"""

import time
from contextlib import suppress
from typing import Any

import msgpack

from opensmtpd.answer import Deferred
from opensmtpd.backends.state.results import Kept
from opensmtpd.backends.state.state import LastingState
from opensmtpd.dns.question import Absent, Failed, Found, Question, Reply
from opensmtpd.dns.resolver.cache import ABSENCE_MAX, TTL_MAX
from opensmtpd.dns.resolver.records import checked

VERSION = 1
TTL_MIN = 1.0
"""Seconds below which a reply is not worth sharing."""


class SharedReplies:
    """Replies in a store. Where it is away, nothing is known, and nothing is kept."""

    def __init__(self, state: LastingState) -> None:
        self._state = state

    def get(self, question: Question) -> Deferred[tuple[Reply, float] | None]:
        """Return a reply that another machine has had, and for how many seconds it is good."""

        def read(found: object) -> tuple[Reply, float] | None:
            return _entry(question, found) if isinstance(found, Kept) else None

        return self._state.get(_key(question)).then(read)

    def put(self, question: Question, reply: Reply, ttl: float) -> None:
        """Share a reply that is good for ``ttl`` seconds."""
        if isinstance(reply, Failed) or ttl < TTL_MIN:
            return
        content = reply.records if isinstance(reply, Found) else reply.nxdomain
        seconds = min(ttl, _ttl_max(reply))
        packed = msgpack.packb([VERSION, content, time.time() + seconds])
        with suppress(ValueError):  # too large
            self._state.put(_key(question), packed, seconds)

    def close(self) -> None:
        """End the process that asks the store."""
        self._state.close()


def _key(question: Question) -> list[str]:
    return [question.kind.value, question.name]


def _ttl_max(reply: Reply) -> float:
    return TTL_MAX if isinstance(reply, Found) else ABSENCE_MAX


def _entry(question: Question, kept: Kept) -> tuple[Reply, float] | None:
    """Return the reply in an entry and its rest of life; None for one that cannot be used.

    It counts as old: it says nothing of name servers as this machine sees them.
    """
    try:
        version, content, expires = msgpack.unpackb(kept.value, strict_map_key=True)
        left = expires - time.time()
        if version != VERSION or not left > 0:  # which NaN is not
            return None
        reply = _reply(question, content)
    except Exception:  # msgpack raises many types for foreign data
        return None
    reply.received_at = 0.0
    return reply, min(left, kept.left, _ttl_max(reply))


def _reply(question: Question, content: Any) -> Reply:
    if isinstance(content, bool):
        return Absent(content)
    return Found(checked(question.kind, content))
