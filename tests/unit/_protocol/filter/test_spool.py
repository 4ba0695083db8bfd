"""Spools: first in, first out, in memory or on disk, within the budget."""

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.filter.spool import Budget, Spool, folder
from opensmtpd.errors import SpoolError


def drain(spool: Spool, size: int = 10) -> list[bytes]:
    return list(iter(lambda: spool.take(size), b""))


def looks(spool: Spool, size: int) -> Iterator[bytes]:
    place = 0
    while block := spool.look(place, size):
        yield block
        place += len(block)


def full_disk(*_: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_default_budget() -> None:
    budget = Budget()
    assert (budget.total, budget.each, budget.used) == (16777216, 4194304, 0)
    assert (budget.reservable, budget.reserved) == (33554432, 0)


def test_memory_is_reserved_until_the_spool_is_closed() -> None:
    budget = Budget(0, 0, 100)
    one, other = Spool(budget), Spool(budget)
    one.reserve(60)
    one.reserve(30)
    other.reserve(10)
    for spool in (one, other):
        with pytest.raises(SpoolError, match="no memory left to edit the message"):
            spool.reserve(1)
    assert (budget.reserved, len(one), budget.used) == (100, 0, 0)
    one.close()
    one.close()
    assert budget.reserved == 10
    other.reserve(90)
    other.close()
    assert budget.reserved == 0


@pytest.mark.parametrize("memory", [0, 10, 1000], ids=["file", "both", "memory"])
def test_a_spool_that_is_truncated_goes_on(memory: int) -> None:
    budget = Budget(memory, memory)
    spool = Spool(budget)
    for block in (b"one\n", b"two\n", b"three\n"):
        spool.append(block)
    assert spool.take(4) == b"one\n"
    spool.truncate()
    assert (len(spool), budget.used, spool.take(100)) == (0, 0, b"")
    spool.append(b"four\n")
    assert (len(spool), spool.take(100)) == (5, b"four\n")
    spool.close()
    assert budget.used == 0


def test_memory_first_in_first_out() -> None:
    budget = Budget(100, 100)
    spool = Spool(budget)
    for block in (b"one\n", b"two\n", b"three\n"):
        spool.append(block)
    assert (len(spool), budget.used) == (14, 14)
    assert spool.take(1) == b"one\n"
    assert (len(spool), budget.used) == (10, 10)
    assert spool.take(5) == b"two\nthree\n"
    assert (spool.take(1), len(spool), budget.used) == (b"", 0, 0)


@pytest.mark.parametrize(("total", "each"), [(8, 100), (100, 8)])
def test_beyond_total_or_each_it_goes_to_a_file(total: int, each: int) -> None:
    budget = Budget(total, each)
    spool = Spool(budget)
    spool.append(b"one\n")
    spool.append(b"two\n")
    assert (spool._file, budget.used) == (None, 8)
    spool.append(b"x\n")
    assert spool._file is not None
    assert (len(spool), budget.used) == (10, 0)
    spool.append(b"y\n")
    assert drain(spool, 4) == [b"one\n", b"two\n", b"x\ny\n"]


def test_one_spool_leaves_no_memory_for_another() -> None:
    budget = Budget(8, 8)
    one, other = Spool(budget), Spool(budget)
    one.append(b"1234567\n")
    other.append(b"abc\n")
    assert (one._file, budget.used) == (None, 8)
    assert other._file is not None
    one.close()
    assert budget.used == 0
    assert drain(other) == [b"abc\n"]


def test_the_file_has_no_name(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    opened: list[str] = []
    real = os.open

    def seen(path: str, flags: int, mode: int) -> int:
        opened.append(path)
        assert (flags & os.O_EXCL, mode) == (os.O_EXCL, 0o600)
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", seen)
    spool = Spool(Budget(0, 0))
    spool.append(b"secret\n")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert [os.path.dirname(path) for path in opened] == [str(tmp_path)]
    spool.close()


def test_from_a_file_come_whole_lines() -> None:
    spool = Spool(Budget(0, 0))
    spool.append(b"one\ntwo\n" + b"x" * 50 + b"\nend\n")
    assert spool.take(7) == b"one\n"
    assert spool.take(8) == b"two\n"
    assert spool.take(20) == b"x" * 50 + b"\nend\n"  # longer than asked for, and whole
    assert (spool.take(20), len(spool)) == (b"", 0)


def test_close_gives_everything_back() -> None:
    budget = Budget(10, 10)
    memory, file = Spool(budget), Spool(budget)
    memory.append(b"12345\n")
    file.append(b"1234567890\n")
    assert file._file is not None
    fd = file._file
    for spool in (memory, file):
        spool.close()
        assert (len(spool), spool.take(9)) == (0, b"")
        spool.close()
    assert budget.used == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(4, 4)
    spool = Spool(budget)
    spool.append(b"one\n")
    monkeypatch.setattr(os, "pwrite", full_disk)
    with pytest.raises(SpoolError, match="cannot spool the message: No space left on device"):
        spool.append(b"two\n")
    assert len(spool) == 4
    spool.close()
    assert budget.used == 0


def test_a_disk_that_fills_amid_a_block_leaves_no_half_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spool = Spool(Budget(0, 0))
    spool.append(b"one\n")
    pwrite = os.pwrite
    first: list[bool] = []

    def half(fd: int, data: memoryview, at: int) -> int:
        if first:
            raise OSError(errno.ENOSPC, "No space left on device")
        first.append(True)
        return pwrite(fd, data[:2], at)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(SpoolError):
        spool.append(b"two\n")
    assert drain(spool) == [b"one\n"]


def test_short_writes_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:3], at))
    spool = Spool(Budget(0, 0))
    spool.append(b"one two three\n")
    assert drain(spool, 100) == [b"one two three\n"]


def test_no_temporary_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_file(*_: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "open", no_file)
    with pytest.raises(SpoolError, match="cannot spool the message: No such file or directory"):
        Spool(Budget(0, 0)).append(b"x\n")


def test_a_file_that_cannot_lose_its_name_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def no_unlink(path: str) -> None:
        made.append(path)
        raise OSError(errno.EIO, "Input/output error")

    before = os.listdir("/proc/self/fd")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", no_unlink)
        with pytest.raises(SpoolError, match="Input/output error"):
            Spool(Budget(0, 0)).append(b"x\n")
    assert os.listdir("/proc/self/fd") == before
    os.unlink(made[0])


def no_memory(*_: object) -> Any:
    raise MemoryError


def test_no_memory_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(Budget(0, 0))
    spool.append(b"one\n")
    monkeypatch.setattr(os, "pwrite", no_memory)
    with pytest.raises(SpoolError, match="cannot spool the message: MemoryError"):
        spool.append(b"two\n")
    assert (len(spool), spool.appended) == (4, 4)


def test_the_files_of_all_spools_have_one_bound() -> None:
    budget = Budget(0, 0, disk=12)
    one, other = Spool(budget), Spool(budget)
    one.append(b"123\n")
    other.append(b"1234567\n")
    assert budget.on_disk == 12
    for spool in (one, other):
        with pytest.raises(SpoolError, match="all spools together take 12 bytes on disk"):
            spool.append(b"\n")
    assert drain(other) == [b"1234567\n"]
    other.close()
    one.append(b"1234567\n")
    assert budget.on_disk == 12
    one.close()
    assert budget.on_disk == 0


def test_the_file_of_a_stream_that_ran_dry_is_used_again() -> None:
    budget = Budget(0, 0, disk=8)
    spool = Spool(budget)
    for _ in range(10):
        spool.append(b"1234567\n")
        assert drain(spool) == [b"1234567\n"]
    assert budget.on_disk == 8
    spool.close()


@pytest.mark.parametrize(
    ("pread", "reason"),
    [
        (lambda fd, size, at: b"o", "the spool file was cut"),
        (full_disk, "cannot read the spool: No space left on device"),
    ],
)
def test_a_disk_that_does_not_give_back(
    monkeypatch: pytest.MonkeyPatch, pread: Callable[..., bytes], reason: str
) -> None:
    spool = Spool(Budget(0, 0))
    spool.append(b"one\n")
    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises(SpoolError, match=reason):
        spool.take(10)


@pytest.mark.parametrize("memory", [0, 10, 1000], ids=["file", "both", "memory"])
def test_a_look_takes_nothing(memory: int) -> None:
    spool = Spool(Budget(memory, memory))
    assert spool.look(0, 10) == b""
    for block in (b"one\n", b"two\n", b"three\n", b"four\n"):
        spool.append(block)
    for place, size, seen in (
        (0, 1, b"one\n"),
        (4, 8, b"two\nthree\n" if memory == 1000 else b"two\n"),
        (8, 11, b"three\nfour\n"),
        (14, 3, b"four\n"),
        (19, 10, b""),
    ):
        assert spool.look(place, size) == seen
    assert spool.take(4) == b"one\n"
    assert spool.look(4, 7) == b"three\n" + (b"four\n" if memory == 1000 else b"")
    assert (len(spool), b"".join(drain(spool))) == (15, b"two\nthree\nfour\n")


class Walked(deque[bytes]):
    """Blocks that count how many of them are walked over to find some."""

    steps = 0

    def __getitem__(self, index: Any) -> Any:
        self.steps += min(abs(index), abs(len(self) - index)) + 1
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[bytes]:
        for each in super().__iter__():
            self.steps += 1
            yield each

    def __reversed__(self) -> Iterator[bytes]:
        for each in super().__reversed__():
            self.steps += 1
            yield each


def test_looks_walk_over_each_block_once() -> None:
    """A client that sends short lines one at a time makes as many blocks."""
    spool, lines = Spool(Budget(1 << 20, 1 << 20)), 4096
    spool._blocks = blocks = Walked()
    for number in range(lines):
        spool.append(b"%07d\n" % number)
    for place, size in ((0, 8192), (8 * 1000, 8192), (8 * 2048, 8), (8 * 4000, 768)):
        blocks.steps = 0
        seen = spool.look(place, size)
        assert seen == b"".join(b"%07d\n" % (place // 8 + n) for n in range(size // 8))
        assert blocks.steps <= lines


def test_a_look_at_a_disk_that_does_not_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(Budget(0, 0))
    spool.append(b"one\n")
    monkeypatch.setattr(os, "pread", lambda *_: b"on")
    with pytest.raises(SpoolError, match="cut"):
        spool.look(0, 10)


BLOCKS = st.lists(st.binary(max_size=12).map(lambda raw: raw + b"\n"), max_size=12)
STEPS = st.lists(st.tuples(BLOCKS, st.integers(min_value=1, max_value=40)), max_size=6)


@given(steps=STEPS, total=st.integers(0, 60), each=st.integers(0, 40))
def test_what_goes_in_comes_out_in_order_and_in_whole_lines(
    steps: list[tuple[list[bytes], int]], total: int, each: int
) -> None:
    budget = Budget(total, each)
    spool = Spool(budget)
    put = got = b""
    for blocks, size in steps:
        for block in blocks:
            spool.append(block)
            put += block
            assert budget.used <= total
        seen = b"".join(looks(spool, size))
        assert seen == put[len(got) :]
        taken = spool.take(size)
        got += taken
        assert taken == b"" or taken.endswith(b"\n")
        assert len(spool) == len(put) - len(got)
    got += b"".join(drain(spool, 7))
    assert got == put
    spool.close()
    assert budget.used == 0


def test_files_are_not_where_memory_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    assert folder() == "/var/tmp"
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    assert folder() == "/var/tmp"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert folder() == str(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: path == "/tmp")
    assert folder() == "/tmp"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert folder() == "/tmp"
