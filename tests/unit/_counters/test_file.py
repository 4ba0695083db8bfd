"""The counter file of a process."""

import fcntl
import os
from pathlib import Path

import pytest

from opensmtpd._counters import file, record
from opensmtpd._counters.counts import OWN

DECISION = ("opensmtpd_plugin_decisions", "connect", "junk")


def content(path: Path) -> int:
    """Return the count of DECISION in a file."""
    return record.unpack(path.read_bytes())[1][OWN.index[DECISION]]


def close(counters: file.CounterFile | None) -> None:
    assert counters is not None
    os.close(counters._descriptor)


def test_counts_are_written_where_there_are_new_ones(folder: Path) -> None:
    counters = file.opened("filter-rdns")
    assert counters is not None
    path = folder / "filter-rdns.0"
    assert content(path) == 0
    OWN.add(*DECISION)
    counters.write()
    assert content(path) == 1
    path.write_bytes(b"")
    counters.write()  # nothing new
    assert path.read_bytes() == b""
    OWN.add(*DECISION)
    counters.write()
    assert content(path) == 2
    close(counters)


def test_everybody_may_read_it(folder: Path) -> None:
    before = os.umask(0o77)
    try:
        close(file.opened("table-flat"))
    finally:
        os.umask(before)
    assert (folder / "table-flat.0").stat().st_mode & 0o777 == 0o644


def test_a_file_for_each_process(folder: Path) -> None:
    first, second = file.opened("filter-rdns"), file.opened("filter-rdns")
    assert sorted(each.name for each in folder.iterdir()) == ["filter-rdns.0", "filter-rdns.1"]
    close(first)
    third = file.opened("filter-rdns")  # in the place of the first
    assert len(list(folder.iterdir())) == 2
    close(second)
    close(third)


def test_not_more_than_that(folder: Path) -> None:
    files = [file.opened("filter-rdns") for _ in range(file.SLOTS)]
    assert file.opened("filter-rdns") is None
    for each in files:
        close(each)


def test_programs_of_others_share_a_name(folder: Path) -> None:
    close(file.opened("../../etc/passwd"))
    close(file.opened("filter-mine"))
    assert [each.name for each in folder.iterdir()] == ["other.0"]


def test_no_folder_no_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "FOLDER", str(folder / "missing"))
    assert file.opened("filter-rdns") is None


def test_what_others_have_put_there_stays_as_it_is(folder: Path) -> None:
    target = folder / "precious"
    target.write_text("precious")
    (folder / "filter-rdns.0").symlink_to(target)
    (folder / "filter-rdns.1").mkdir()
    os.mkfifo(folder / "filter-rdns.2")
    os.link(target, folder / "filter-rdns.3")
    (folder / "filter-rdns.4").write_text("something else")
    with open(folder / "filter-rdns.5", "w") as locked:
        fcntl.flock(locked, fcntl.LOCK_SH)
        close(file.opened("filter-rdns"))
    assert target.read_text() == "precious"
    assert (folder / "filter-rdns.4").read_text() == "something else"
    assert (folder / "filter-rdns.5").read_text() == ""
    assert content(folder / "filter-rdns.6") == 0


def test_a_file_that_is_removed_while_it_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def removing(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        (folder / "filter-rdns.0").unlink(missing_ok=True)

    monkeypatch.setattr(fcntl, "flock", removing)
    close(file.opened("filter-rdns"))
    assert [each.name for each in folder.iterdir()] == ["filter-rdns.1"]


def test_a_failure_to_write_is_ignored(folder: Path) -> None:
    counters = file.opened("filter-rdns")
    close(counters)
    assert counters is not None
    OWN.add(*DECISION)
    counters.write()
