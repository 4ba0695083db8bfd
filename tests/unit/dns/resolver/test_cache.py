"""What is remembered of the DNS, for how long, and what of it is saved."""

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.cache import (
    LARGE,
    RECORD_SIZE,
    TTL_MAX,
    Cache,
    CacheEntry,
)


def a(name: str = "example.org") -> Question:
    return Question(name, RecordType.A)


YES = Found(("192.0.2.1",))


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [YES, Absent(), Failed("timeout")])
def test_a_reply_is_good_for_its_time(reply: Reply) -> None:
    cache = Cache()
    assert cache.get(a(), 100.0) is None
    cache.put(a(), reply, 10.0, 100.0)
    assert cache.get(a(), 100.0) == reply
    assert cache.get(a(), 109.9) == reply
    assert cache.get(a(), 110.0) is None
    assert len(cache) == 0


def test_nothing_is_good_for_more_than_a_day() -> None:
    cache = Cache()
    cache.put(a(), YES, 1e9, 0.0)
    assert cache.get(a(), TTL_MAX - 1) == YES
    assert cache.get(a(), TTL_MAX) is None


@pytest.mark.parametrize("ttl", [0, -1])
def test_without_time_it_is_not_remembered(ttl: float) -> None:
    cache = Cache()
    cache.put(a(), YES, 10.0, 0.0)
    cache.put(a(), Absent(), ttl, 0.0)
    assert cache.get(a(), 0.0) is None


def test_questions_differ_by_name_and_kind() -> None:
    cache = Cache()
    cache.put(a("one"), YES, 10.0, 0.0)
    assert cache.get(a("two"), 0.0) is None
    assert cache.get(Question("one", RecordType.AAAA), 0.0) is None


def test_an_absence_is_limited_when_its_zone_is_heard() -> None:
    cache = Cache()
    none = Absent(nxdomain=True)
    for question, reply in ((a("none"), none), (a("some"), YES), (a("bad"), Failed("x"))):
        cache.put(question, reply, 60.0, 0.0)
        cache.limit(question, 5.0, 0.0)
    assert cache.get(a("none"), 4.9) == Absent(nxdomain=True)
    assert cache.get(a("none"), 5.0) is None
    assert cache.get(a("some"), 59.0) == YES
    assert cache.get(a("bad"), 59.0) == Failed("x")
    cache.limit(a("gone"), 5.0, 0.0)
    assert cache.get(a("gone"), 0.0) is None


# --- bounds ---------------------------------------------------------------------------------------


def test_the_one_that_was_wanted_longest_ago_goes() -> None:
    cache = Cache(3)
    for name in "abc":
        cache.put(a(name), YES, 10.0, 0.0)
    cache.get(a("a"), 0.0)
    cache.put(a("d"), YES, 10.0, 0.0)
    assert [cache.get(a(name), 0.0) for name in "abcd"] == [YES, None, YES, YES]
    assert len(cache) == 3


def of_size(size: int, name: str = "a") -> Found:
    """Return a reply that has this size, with its name."""
    return Found(("x" * (size - len(name) - RECORD_SIZE),))


def test_all_of_them_have_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensmtpd.dns.resolver.cache.SIZE_ALL", 400)
    cache = Cache()
    for name in "abc":
        cache.put(a(name), of_size(132), 10.0, 0.0)
    cache.put(a("a"), of_size(132), 10.0, 0.0)  # in the place of another
    assert [cache.get(a(name), 0.0) is not None for name in "abc"] == [True] * 3
    assert cache.get(a("b"), 20.0) is None  # over, and no longer counted
    cache.put(a("d"), of_size(132), 10.0, 0.0)
    assert [cache.get(a(name), 0.0) is not None for name in "acd"] == [True] * 3
    cache.put(a("eeee"), Absent(), 10.0, 0.0)
    cache.put(a("f"), Absent(), 10.0, 0.0)
    assert [cache.get(a(name), 0.0) is not None for name in "acd"] == [False, True, True]


def test_many_small_records_are_large() -> None:
    """Each is a str of its own: 60 KB of an answer would take a megabyte."""
    cache = Cache()
    for number in range(20):
        cache.put(a(str(number)), Found(("",) * 5000), 10.0, 0.0)
    kept = [number for number in range(20) if cache.get(a(str(number)), 0.0) is not None]
    assert kept == list(range(7, 20))  # 13 of 320 KB are 4 MB


def test_large_replies_push_out_each_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensmtpd.dns.resolver.cache.LARGE_ALL", 2 * LARGE)
    cache = Cache()
    cache.put(a("s"), of_size(LARGE - 1), 10.0, 0.0)
    for name in "abc":
        cache.put(a(name), of_size(LARGE), 10.0, 0.0)
    assert [cache.get(a(name), 0.0) is not None for name in "sabc"] == [True, False, True, True]
    assert len(cache) == 3
    cache.put(a("b"), YES, 10.0, 0.0)  # a small one in the place of a large one
    cache.put(a("d"), of_size(LARGE), 10.0, 0.0)
    assert [cache.get(a(name), 0.0) is not None for name in "sbcd"] == [True] * 4
    cache.put(a("d"), YES, 0.0, 0.0)
    assert cache.get(a("d"), 0.0) is None
    assert cache.get(a("c"), 10.0) is None
    assert len(cache) == 2


def test_one_that_is_larger_than_all_may_be_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("opensmtpd.dns.resolver.cache.LARGE_ALL", 2 * LARGE)
    cache = Cache()
    cache.put(a(), of_size(2 * LARGE + 1, "example.org"), 10.0, 0.0)
    assert len(cache) == 0


# --- what is saved --------------------------------------------------------------------------------


def test_failures_and_old_replies_are_not_saved() -> None:
    cache = Cache()
    cache.put(a("old"), YES, 5.0, 0.0)
    cache.put(a("bad"), Failed("x"), 50.0, 0.0)
    assert cache.changed
    cache.put(a("new"), YES, 50.0, 0.0)
    large = of_size(LARGE)
    cache.put(a("b"), large, 50.0, 0.0)
    assert list(cache.entries(10.0)) == [
        CacheEntry(a("b"), large, 50.0),
        CacheEntry(a("new"), YES, 50.0),
    ]


def test_only_what_can_be_saved_is_a_change() -> None:
    cache = Cache()
    cache.put(a(), Failed("x"), 50.0, 0.0)
    assert not cache.changed
    cache.restore([CacheEntry(a(), YES, 50.0), CacheEntry(a("old"), YES, 0.0)], 1.0)
    assert not cache.changed
    assert cache.get(a(), 49.0) == YES
    assert cache.get(a("old"), 1.0) is None
