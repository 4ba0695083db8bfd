"""Replies between two processes: what is sent arrives, and nothing else is taken."""

import math
from typing import Any

import msgpack
import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.cache import TTL_MAX
from opensmtpd.dns.resolver.replies import ABSENT, FAILED, FOUND, OURS, packed, unpacked
from unit.support.dns_lab import PTR, TXT, A

ANY = Question("example.org", A)


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        (A, Found(("192.0.2.1", "192.0.2.2"))),
        (PTR, Found(("a.example",))),
        (TXT, Found(("\xff\x00\n|", ""))),
        (RecordType.SOA, Found(("300",))),
        (A, Absent()),
        (A, Absent(nxdomain=True)),
        (A, Failed("timeout")),
        (A, Failed("no answer in time", ours=True)),
    ],
)
def test_a_reply_arrives_as_it_is(kind: RecordType, reply: Reply) -> None:
    reply.received_at = 90.0
    row = msgpack.unpackb(msgpack.packb(packed(reply, 7.5, 100.0)))
    found, ttl = unpacked(Question("example.org", kind), row, 200.0)
    assert (found, ttl, found.received_at) == (reply, 7.5, 190.0)


def test_one_of_a_file_came_long_ago() -> None:
    reply = Absent()
    reply.received_at = 0.0
    found, _ = unpacked(ANY, packed(reply, 1.0, 1e7), 1e7)
    assert found.received_at == 1e7 - TTL_MAX


def test_none_is_kept_for_longer_than_a_cache_does() -> None:
    assert unpacked(ANY, [ABSENT, True, 1e300, 0], 0.0)[1] == TTL_MAX


@pytest.mark.parametrize(
    "row",
    [
        *(None, "", {}, [], [FOUND], [FOUND, ["192.0.2.1"], 1, 0, 0]),
        *([9, None, 1, 0], [None, None, 1, 0], [ABSENT, ["192.0.2.1"], 1, 0]),
        *([ABSENT, None, 1, 0], [ABSENT, 1, 1, 0], [ABSENT, "x", 1, 0], [FAILED, True, 1, 0]),
        *([ABSENT, True, "1", 0], [ABSENT, True, 1, None], [ABSENT, True, -1, 0]),
        *([ABSENT, True, math.nan, 0], [ABSENT, True, 1, math.nan], [ABSENT, True, 1, -1]),
        *([FAILED, None, 1, 0], [OURS, "a\nb", 1, 0], [OURS, "x" * 201, 1, 0]),
        *([FOUND, [], 1, 0], [FOUND, "192.0.2.1", 1, 0], [FOUND, ["192.0.2.1"] * 101, 1, 0]),
        *([FOUND, [b"192.0.2.1"], 1, 0], [FOUND, ["192.0.2.01"], 1, 0], [FOUND, ["x"], 1, 0]),
    ],
)
def test_anything_else_is_none(row: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        unpacked(ANY, row, 0.0)
