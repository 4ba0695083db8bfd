"""Replies as they cross from the resolver's process: ``[kind, content, TTL, age]``.

The content of FOUND are the records, that of ABSENT is whether the name does not exist, that of the
failures the reason. The reader trusts nothing: the other process parses what strangers have sent.
"""

from typing import Any

from opensmtpd.dns.question import Absent, Failed, Found, Question, Reply
from opensmtpd.dns.resolver.cache import TTL_MAX
from opensmtpd.dns.resolver.records import checked

FOUND, ABSENT, FAILED, OURS = range(4)
"""Kinds of replies; OURS is a failure for which no name server is to blame."""
REASON_MAX = 200
"""Characters of the reason for a failure, at most."""


def packed(reply: Reply, ttl: float, now: float) -> list[Any]:
    """Return a reply to be sent, which may be remembered for ``ttl`` seconds.

    ``now`` is a time of the monotonic clock.
    """
    age = min(max(0.0, now - reply.received_at), TTL_MAX)
    if isinstance(reply, Found):
        return [FOUND, reply.records, ttl, age]
    if isinstance(reply, Failed):
        return [OURS if reply.ours else FAILED, reply.reason[:REASON_MAX], ttl, age]
    return [ABSENT, reply.nxdomain, ttl, age]


def unpacked(question: Question, row: object, now: float) -> tuple[Reply, float]:
    """Return the reply to a question, and for how many seconds it may be remembered.

    Raises ValueError or TypeError for anything that is none.
    """
    if not isinstance(row, list):
        raise TypeError
    kind, content, ttl, age = row
    if not (isinstance(ttl, int | float) and isinstance(age, int | float)):
        raise TypeError
    if not (ttl >= 0 and 0 <= age <= TTL_MAX):  # which NaN is not
        raise ValueError
    reply = _reply(question, kind, content)
    reply.received_at = now - age
    return reply, min(float(ttl), TTL_MAX)


def _reply(question: Question, kind: object, content: object) -> Reply:
    if kind == FOUND:
        return Found(checked(question.kind, content))
    if kind == ABSENT and isinstance(content, bool):
        return Absent(content)
    if kind in (FAILED, OURS) and isinstance(content, str):
        if len(content) > REASON_MAX or not content.isprintable():
            raise ValueError
        return Failed(content, ours=kind == OURS)
    raise ValueError
