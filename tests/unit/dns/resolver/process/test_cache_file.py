"""The file of the cache: what is saved comes back, and no other file is believed."""

import hashlib
import os
from pathlib import Path

import pytest

from opensmtpd.dns import Absent, Found, Question, RecordType
from opensmtpd.dns.resolver.cache import CacheEntry
from opensmtpd.dns.resolver.process import cache_file
from opensmtpd.errors import LocalError

REFUSED = r"^it (is damaged|has another version or is no cache)$"


ENTRIES = [
    CacheEntry(Question("example.org", RecordType.A), Found(("192.0.2.1",)), 2000.0),
    CacheEntry(Question("example.org", RecordType.AAAA), Absent(), 3000.0),
    CacheEntry(Question("none.example.org", RecordType.AAAA), Absent(nxdomain=True), 3000.0),
    CacheEntry(
        Question("5.2.0.192.in-addr.arpa", RecordType.PTR), Found(("a.example", "b.example")), 2.5e9
    ),
    CacheEntry(Question("example.org", RecordType.TXT), Found(("v=\xff \x00\n|", "")), 2000.0),
    CacheEntry(Question("example.org", RecordType.SOA), Found(("300",)), 2000.0),
]


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "cache")
    assert cache_file.load(path) == []
    cache_file.save(path, ENTRIES)
    assert cache_file.load(path) == ENTRIES
    assert oct(os.stat(path).st_mode & 0o777) == "0o600"
    assert os.listdir(tmp_path) == ["cache"]


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
        b"\x91\x94\xa1a\xa1A\xc0\x01",  # neither records nor an absence
        b"\x91\x94\xa1a\xa1A\xc2\xa1x",  # a time that is none
        b"\x91\x94\xa1a\xa1Z\xc2\x01",  # a kind that is none
        b"\x91\x94\xa4a..b\xa1A\xc2\x01",  # a name that cannot be asked
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


def test_a_file_of_the_version_before(tmp_path: Path) -> None:
    """It does not tell which absences are those of names."""
    path, rows = tmp_path / "cache", b"\x91\x94\xa1a\xa1A\xc0\x01"
    path.touch(0o600)
    path.write_bytes(b"opensmtpd-dns-cache 1\n" + hashlib.sha256(rows).digest() + rows)
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
