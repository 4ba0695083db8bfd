"""When the status of a file tells each later change of it."""

import os
from pathlib import Path

import pytest

from opensmtpd.backends.rest import REST, STEP, Rest, Status, status_of


class Clocks:
    """The time of both clocks, in seconds."""

    def __init__(self) -> None:
        self.steady, self.wall = 500.0, 1000.0
        self.rest = Rest(lambda: self.steady, lambda: self.wall)

    def after(self, seconds: float, status: Status) -> bool:
        """Let time go by, and look."""
        self.steady += seconds
        self.wall += seconds
        return self.rest.stamp(status) is not None


def written(at: float, changed: float | None = None, size: int = 4096) -> Status:
    return 1, 2, size, int(at * 1e9), int((at if changed is None else changed) * 1e9)


def test_a_file_rests_some_time_after_it_was_seen_first() -> None:
    clocks = Clocks()
    old = written(at=10)
    assert [clocks.after(seconds, old) for seconds in (0, 1, 0.25, 0.25, 100)] == [
        *(False, False, False, True, True)
    ]


def test_a_file_that_was_just_written_rests_later_than_that() -> None:
    """By a clock that is behind the file system's: its own time of the write counts."""
    clocks = Clocks()
    new = written(at=1003)
    assert not clocks.after(0, new)
    assert not clocks.after(REST, new)
    assert not clocks.after(3 - 0.01, new)
    assert clocks.after(0.01, new)


@pytest.mark.parametrize(
    "other",
    [
        (9, 2, 4096, 10 * 10**9, 10 * 10**9),
        (1, 9, 4096, 10 * 10**9, 10 * 10**9),
        (1, 2, 8192, 10 * 10**9, 10 * 10**9),
        (1, 2, 4096, 10 * 10**9 + 1, 10 * 10**9),
        (1, 2, 4096, 10 * 10**9, 10 * 10**9 + 1),
    ],
)
def test_any_other_status_begins_anew(other: Status) -> None:
    clocks = Clocks()
    clocks.after(0, written(at=10))
    assert clocks.after(REST, written(at=10))
    assert not clocks.after(100, other)
    assert clocks.after(REST, other)
    assert not clocks.after(0, written(at=10))  # that it was seen long ago counts no more


def test_a_rest_has_one_stamp_and_the_next_one_another() -> None:
    clocks = Clocks()
    old, new = written(at=10), written(at=20)
    seen: list[object | None] = []
    for status in (old, new, old):
        assert not clocks.after(1, status)
        assert clocks.after(REST, status)
        stamp = clocks.rest.stamp(status)
        assert stamp == clocks.rest.stamp(status)
        assert stamp not in seen
        seen.append(stamp)
    clocks.wall -= 100
    clocks.after(0, old)
    clocks.after(200, old)
    assert clocks.rest.stamp(old) not in [None, *seen]


def test_times_to_come_never_rest_before_they_have_come() -> None:
    clocks = Clocks()
    assert not clocks.after(0, written(at=10, changed=2000))
    assert not clocks.after(1000, written(at=10, changed=2000))
    assert clocks.after(REST, written(at=10, changed=2000))


@pytest.mark.parametrize("jump", [-500.0, -STEP * 1.01, STEP * 1.01, 3600.0])
def test_a_clock_that_is_set_begins_anew(jump: float) -> None:
    clocks = Clocks()
    clocks.after(0, written(at=10))
    assert clocks.after(REST, written(at=10))
    clocks.wall += jump
    assert not clocks.after(0, written(at=10))
    assert clocks.after(REST, written(at=10))


def test_small_jumps_are_counted_together() -> None:
    clocks = Clocks()
    clocks.after(0, written(at=10))
    assert clocks.after(REST, written(at=10))
    clocks.wall -= STEP * 0.6
    assert clocks.after(0, written(at=10))
    clocks.wall -= STEP * 0.6
    assert not clocks.after(0, written(at=10))


def test_a_clock_set_back_to_before_the_last_write() -> None:
    """The time of that write comes once more: a write then would leave the status as it is."""
    clocks = Clocks()
    clocks.after(0, written(at=990))
    assert clocks.after(REST, written(at=990))
    clocks.wall = 980
    assert not clocks.after(0, written(at=990))
    assert not clocks.after(10, written(at=990))
    assert not clocks.after(1, written(at=990))
    assert clocks.after(0.5, written(at=990))


def test_the_clocks_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    rest = Rest()
    assert rest.stamp(status_of(os.stat(path))) is None


def test_a_status_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"four")
    os.utime(path, ns=(5, 7))
    found = os.stat(path)
    assert status_of(found) == (found.st_dev, found.st_ino, 4, 7, found.st_ctime_ns)
