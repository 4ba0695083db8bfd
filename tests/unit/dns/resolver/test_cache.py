"""What is remembered of the DNS, for how long, and what a file of it may do."""

import hashlib
import os
from pathlib import Path

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver import cache_file
from opensmtpd.dns.resolver.cache import SIZE_MAX, TTL_MAX, Cache, CacheEntry
from opensmtpd.errors import LocalError


def a(name: str = "example.org") -> Question:
    return Question(name, RecordType.A)


REFUSED = r"^it (is damaged|has another version or is no cache)$"
YES = Found(("192.0.2.1",))
ENTRIES = [
    CacheEntry(a(), YES, 2000.0),
    CacheEntry(Question("example.org", RecordType.AAAA), Absent(), 3000.0),
    CacheEntry(
        Question("5.2.0.192.in-addr.arpa", RecordType.PTR), Found(("a.example", "b.example")), 2.5e9
    ),
    CacheEntry(Question("example.org", RecordType.TXT), Found(("v=\xff \x00\n|", "")), 2000.0),
    CacheEntry(Question("example.org", RecordType.SOA), Found(("300",)), 2000.0),
]


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
    for question, reply in ((a("none"), Absent()), (a("some"), YES), (a("bad"), Failed("x"))):
        cache.put(question, reply, 60.0, 0.0)
        cache.limit(question, 5.0, 0.0)
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


# --- the file -------------------------------------------------------------------------------------


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "cache")
    assert cache_file.load(path) == []
    cache_file.save(path, ENTRIES)
    assert cache_file.load(path) == ENTRIES
    assert oct(os.stat(path).st_mode & 0o777) == "0o600"
    assert os.listdir(tmp_path) == ["cache"]


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


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "cache"
    cache_file.save(str(path), ENTRIES[:2])
    return path


def test_cut_at_any_byte(file: Path, tmp_path: Path) -> None:
    whole, cut = file.read_bytes(), tmp_path / "cache"
    for size in range(len(whole)):
        cut.touch(0o600)
        cut.write_bytes(whole[:size])
        with pytest.raises(LocalError, match=REFUSED):
            cache_file.load(str(cut))


def test_any_bit_flipped(file: Path, tmp_path: Path) -> None:
    whole, flipped = file.read_bytes(), tmp_path / "cache"
    flipped.touch(0o600)
    for bit in range(len(whole) * 8):
        wrong = bytearray(whole)
        wrong[bit // 8] ^= 1 << bit % 8
        flipped.write_bytes(wrong)
        with pytest.raises(LocalError, match=REFUSED):
            cache_file.load(str(flipped))


@pytest.mark.parametrize(
    "rows",
    [
        b"\xc0",
        b"\x91\xc0",
        b"\x91\x94\xa1a\xa1A\xc0\xa1x",  # a time that is none
        b"\x91\x94\xa1a\xa1Z\xc0\x01",  # a kind that is none
        b"\x91\x94\xa3a|b\xa1A\xc0\x01",  # a name that cannot be asked
        b"\x91\x94\xa1a\xa1A\x91\xa1b\x01",  # an address that is none
        b"\x91\x94\xa1a\xa1A\x91\xa500::1\x01",  # one in an unusual form
        b"\x91\x94\xa1a\xa3PTR\x91\xa3a b\x01",  # a host name that is none
        b"\x91\x94\xa1a\xa3TXT\x91\x01\x01",  # a number for a text
        b"\x91\x94\xa1a\xa3TXT\x91\xa3\xe2\x82\xac\x01",  # no octet
        b"\x91\x93\xa1a\xa1A\xc0",
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_a_sound_file_of_other_things(tmp_path: Path, rows: bytes) -> None:
    path = tmp_path / "cache"
    path.touch(0o600)
    path.write_bytes(cache_file.MAGIC + hashlib.sha256(rows).digest() + rows)
    with pytest.raises(LocalError, match=r"^it has another version or is no cache$"):
        cache_file.load(str(path))


def test_a_file_that_others_may_have_written(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    cache_file.save(str(path), ENTRIES)
    for mode in (0o620, 0o602):
        path.chmod(mode)
        with pytest.raises(LocalError, match=r"^others may have written it$"):
            cache_file.load(str(path))
    path.chmod(0o644)
    assert cache_file.load(str(path)) == ENTRIES
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(LocalError, match=r"^Too many levels of symbolic links$"):
        cache_file.load(str(link))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_file(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    cache_file.save(str(path), ENTRIES)
    os.chown(path, 65534, 65534)
    with pytest.raises(LocalError, match=r"^others may have written it$"):
        cache_file.load(str(path))


def test_what_is_no_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    for path in (fifo, tmp_path):
        with pytest.raises(LocalError, match=r"^(it is no regular file|Is a directory)$"):
            cache_file.load(str(path))


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    cache_file.save(str(path), ENTRIES)
    with pytest.raises(OSError, match="No such file"):
        cache_file.save(str(tmp_path / "none" / "cache"), ENTRIES)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        cache_file.save(str(tmp_path / "folder"), ENTRIES)
    assert cache_file.load(str(path)) == ENTRIES
    assert sorted(os.listdir(tmp_path)) == ["cache", "folder"]
