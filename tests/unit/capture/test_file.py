"""Files of a capture: their number, their size, and disks that are full."""

import os
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opensmtpd.capture.file import CaptureFile
from opensmtpd.capture.format import CapturedLines, CaptureHeader, CaptureKind, CaptureLoss
from opensmtpd.capture.reader import CaptureReader
from unit.support import captures
from unit.support.captures import P, S

HANDSHAKE = [CapturedLines(1.0, S, b"config|ready\n"), CapturedLines(2.0, P, b"register|ready\n")]


def entry(number: int, size: int = 1000) -> CapturedLines:
    return CapturedLines(3.0 + number, S, b"%d" % number * 10 + b"x" * size + b"\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capture"


def test_what_is_written_is_read(path: Path) -> None:
    entries = [*HANDSHAKE, entry(1), entry(2, 100_000), entry(3, 0)]
    captures.write(path, CaptureKind.FILTER, entries)
    assert list(CaptureReader(str(path))) == entries
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_follow_each_other_and_the_oldest_go(path: Path) -> None:
    capture = captures.file(path, CaptureKind.FILTER, size=65536, files=3)
    entries = [entry(number) for number in range(300)]
    for each in [*HANDSHAKE, *entries]:
        capture.add(each)
        capture.write(0.0)
    capture.close(0.0)
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["capture", "capture.1", "capture.2"]
    assert all(each.stat().st_size <= 65536 for each in path.parent.iterdir())
    reader = CaptureReader(str(path))
    found = list(reader)
    assert reader.first > 1
    assert found[:2] == HANDSHAKE
    assert found[2:] == entries[-len(found[2:]) :]
    assert len(found) > 120
    for name in names:  # each has the handshake
        alone = CaptureReader(str(path.parent / name))
        assert next(iter(alone)) == HANDSHAKE[0]


def test_one_file(path: Path) -> None:
    capture = captures.file(path, CaptureKind.FILTER, size=65536, files=1)
    for number in range(200):
        capture.add(entry(number))
        capture.write(0.0)
    capture.close(0.0)
    assert [each.name for each in path.parent.iterdir()] == ["capture"]
    assert list(CaptureReader(str(path)))[-1] == entry(199)


def test_a_new_run_keeps_the_files_of_the_last_one(path: Path) -> None:
    captures.write(path, CaptureKind.FILTER, [entry(1)])
    header = CaptureHeader(CaptureKind.FILTER, "filter-x", 1_900_000_000.0)
    CaptureFile(str(path), header, size=1 << 20, files=4, failed=captures.refused).close(0.0)
    assert list(CaptureReader(str(path))) == []
    assert list(CaptureReader(f"{path}.1")) == [entry(1)]


def test_a_file_that_somebody_writes_to_is_left_alone(path: Path) -> None:
    capture = captures.file(path, CaptureKind.FILTER)
    with pytest.raises(BlockingIOError):
        captures.file(path, CaptureKind.FILTER)
    capture.add(entry(1))
    capture.close(0.0)
    assert list(CaptureReader(str(path))) == [entry(1)]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("x")])
def test_other_things_in_its_place(path: Path, make: Callable[[Path], object]) -> None:
    make(path)
    with pytest.raises(OSError, match=r"."):
        captures.file(path, CaptureKind.FILTER)


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """A limit of the size of files stands for a full disk: SIGXFSZ is ignored by Python."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limited(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size if size else before[0], before[1]))

    yield limited
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_loses_whole_records_and_says_it_once(
    path: Path, small_disk: Callable[[int], None]
) -> None:
    errors: list[OSError] = []
    header = CaptureHeader(CaptureKind.FILTER, "filter-x", 1.0)
    capture = CaptureFile(str(path), header, size=1 << 20, files=2, failed=errors.append)
    for number in range(10):
        if number == 5:
            small_disk(path.stat().st_size + 700)
        if number == 8:
            small_disk(0)
        capture.add(entry(number))
        capture.write(50.0)
    capture.close(0.0)
    found = list(CaptureReader(str(path)))
    losses = [each for each in found if isinstance(each, CaptureLoss)]
    assert [each for each in found if each not in losses] == [
        *map(entry, range(5)), *map(entry, (8, 9)),
    ]  # fmt: skip
    assert [each.time for each in losses] == [50.0]
    assert losses[0].size > 3 * 1000
    assert len(errors) == 1


def test_a_disk_that_is_full_at_the_start(path: Path, small_disk: Callable[[int], None]) -> None:
    errors: list[OSError] = []
    small_disk(10)
    header = CaptureHeader(CaptureKind.FILTER, "filter-x", 1.0)
    capture = CaptureFile(str(path), header, size=1 << 20, files=2, failed=errors.append)
    capture.add(entry(1))
    capture.write(50.0)
    small_disk(0)
    capture.add(entry(2))
    capture.close(0.0)
    found = list(CaptureReader(str(path)))
    assert isinstance(found[0], CaptureLoss)
    assert found[1:] == [entry(2)]
    assert len(errors) == 1
