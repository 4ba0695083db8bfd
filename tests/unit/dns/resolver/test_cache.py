"""What is remembered of the DNS, for how long, and what of it is saved."""

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.cache import SIZE_MAX, TTL_MAX, Cache, CacheEntry


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


def test_large_replies_are_not_remembered() -> None:
    cache = Cache()
    room = SIZE_MAX - len("example.org")
    cache.put(a(), Found(("x" * room,)), 10.0, 0.0)
    assert cache.get(a(), 0.0) is not None
    cache.put(a(), Found(("x" * room, "y")), 10.0, 0.0)
    assert cache.get(a(), 0.0) is None


def test_all_of_them_have_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensmtpd.dns.resolver.cache.SIZE_ALL", 100)
    cache = Cache()
    for name in "abc":
        cache.put(a(name), Found(("x" * 32,)), 10.0, 0.0)  # 33 with the name
    cache.put(a("a"), Found(("y" * 32,)), 10.0, 0.0)  # in the place of another
    assert [cache.get(a(name), 0.0) is not None for name in "abc"] == [True] * 3
    assert cache.get(a("b"), 20.0) is None  # over, and no longer counted
    cache.put(a("d"), Found(("x" * 32,)), 10.0, 0.0)
    assert [cache.get(a(name), 0.0) is not None for name in "acd"] == [True] * 3
    cache.put(a("e"), Absent(), 10.0, 0.0)
    cache.put(a("ff"), Absent(), 10.0, 0.0)
    assert [cache.get(a(name), 0.0) is not None for name in "acd"] == [False, True, True]


# --- what is saved --------------------------------------------------------------------------------


def test_failures_and_old_replies_are_not_saved() -> None:
    cache = Cache()
    cache.put(a("old"), YES, 5.0, 0.0)
    cache.put(a("bad"), Failed("x"), 50.0, 0.0)
    assert cache.changed
    cache.put(a("new"), YES, 50.0, 0.0)
    assert list(cache.entries(10.0)) == [CacheEntry(a("new"), YES, 50.0)]


def test_only_what_can_be_saved_is_a_change() -> None:
    cache = Cache()
    cache.put(a(), Failed("x"), 50.0, 0.0)
    assert not cache.changed
    cache.restore([CacheEntry(a(), YES, 50.0), CacheEntry(a("old"), YES, 0.0)], 1.0)
    assert not cache.changed
    assert cache.get(a(), 49.0) == YES
    assert cache.get(a("old"), 1.0) is None
