"""The counts of other programs: of processes that run, that have ended, and of files of anybody."""

import fcntl
import os
from pathlib import Path

import pytest

from opensmtpd._counters import file, record
from opensmtpd._counters.counts import OWN
from opensmtpd.mail.metrics.programs import Programs

PLACE = OWN.index["opensmtpd_plugin_decisions", "connect", "junk"]
LAST = len(OWN.values) - 1


class Process:
    """A process with a counter file."""

    def __init__(self, path: Path, began: int = 1) -> None:
        self.began = began
        self.file = open(path, "wb", buffering=0)  # noqa: SIM115  it lives as long as the process
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.count(0)

    def count(self, number: int) -> None:
        values = [0] * len(OWN.values)
        values[PLACE] = number
        self.write(record.pack(self.began, values))

    def write(self, data: bytes) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.file.write(data)


def counts(found: Programs) -> dict[str, int]:
    """Read the files, and return the counts at PLACE."""
    found.read()
    return {program: values[PLACE] for program, values in found.totals().items()}


def test_a_program_that_counts(folder: Path) -> None:
    found = Programs()
    assert counts(found) == {}
    process = Process(folder / "filter-rdns.3")
    assert counts(found) == {"filter-rdns": 0}
    process.count(5)
    assert counts(found) == {"filter-rdns": 5}
    assert found.running == {"filter-rdns": 1}


def test_two_processes_of_one_program(folder: Path) -> None:
    found = Programs()
    processes = [Process(folder / f"filter-rdns.{slot}") for slot in (0, 1)]
    processes[0].count(5)
    processes[1].count(7)
    assert counts(found) == {"filter-rdns": 12}
    assert found.running == {"filter-rdns": 2}


def test_the_counts_of_a_process_that_has_ended_stay(folder: Path) -> None:
    found = Programs()
    process = Process(folder / "filter-rdns.0")
    process.count(5)
    assert counts(found) == {"filter-rdns": 5}
    process.count(6)
    process.file.close()
    assert counts(found) == {"filter-rdns": 6}  # its last record
    assert list(folder.iterdir()) == []
    assert found.running == {}
    process = Process(folder / "filter-rdns.0", began=2)
    process.count(1)
    assert counts(found) == {"filter-rdns": 7}
    process.file.close()
    assert counts(found) == counts(found) == {"filter-rdns": 7}


def test_a_process_that_takes_the_place_of_another_between_two_readings(folder: Path) -> None:
    found = Programs()
    process = Process(folder / "filter-rdns.0")
    process.count(5)
    assert counts(found) == {"filter-rdns": 5}
    process.file.close()
    process = Process(folder / "filter-rdns.0", began=2)
    process.count(1)
    assert counts(found) == {"filter-rdns": 6}


def test_files_that_are_left_from_before_are_removed(folder: Path) -> None:
    process = Process(folder / "table-flat.0")
    process.count(5)
    process.file.close()
    assert counts(Programs()) == {}
    assert list(folder.iterdir()) == []


def test_a_record_that_is_being_written(folder: Path) -> None:
    found = Programs()
    process = Process(folder / "filter-rdns.0")
    process.count(5)
    assert counts(found) == {"filter-rdns": 5}
    whole = (folder / "filter-rdns.0").read_bytes()
    for size in (0, 1, 20, len(whole) - 1):
        process.write(whole[:size])
        assert counts(found) == {"filter-rdns": 5}
    process.write(whole + whole)
    assert counts(found) == {"filter-rdns": 5}


def test_a_file_that_somebody_removes(folder: Path) -> None:
    found = Programs()
    process = Process(folder / "filter-rdns.0")
    process.count(5)
    assert counts(found) == {"filter-rdns": 5}
    (folder / "filter-rdns.0").unlink()
    assert counts(found) == {"filter-rdns": 5}
    assert found.running == {}


def test_files_of_anybody(folder: Path) -> None:
    outside = folder / "precious"
    outside.write_text("precious")
    (folder / "filter-rdns.0").symlink_to(outside)
    (folder / "filter-rdns.1").mkdir()
    os.mkfifo(folder / "filter-rdns.2")
    (folder / "filter-rdns.3").write_bytes(b"\0" * 10_000_000)
    (folder / "filter-rdns.4").write_text("garbage")
    with open(folder / "filter-rdns.4") as locked, open(folder / "filter-rdns.1/file", "w"):
        fcntl.flock(locked, fcntl.LOCK_EX)
        assert counts(Programs()) == {}
    assert outside.read_text() == "precious"
    left = {each.name for each in folder.iterdir()}
    assert left == {"precious", "filter-rdns.0", "filter-rdns.1", "filter-rdns.4"}


def test_other_names_are_not_even_seen(folder: Path) -> None:
    for number in range(file.SLOTS, file.SLOTS + 1000):
        (folder / f"filter-rdns.{number}").touch()
    (folder / "filter-unknown.0").touch()
    assert counts(Programs()) == {}
    assert len(list(folder.iterdir())) == 1001


def test_a_lack_of_descriptors_ends_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Programs()
    process = Process(folder / "filter-rdns.0")
    process.count(5)
    assert counts(found) == {"filter-rdns": 5}

    def short(*_: object) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", short)
        assert counts(found) == {"filter-rdns": 5}
    assert counts(found) == {"filter-rdns": 5}
    assert found.running == {"filter-rdns": 1}


def test_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "FOLDER", str(folder / "missing"))
    assert counts(Programs()) == {}


def test_all_cells_are_added(folder: Path) -> None:
    found = Programs()
    process = Process(folder / "filter-rdns.0")
    process.write(record.pack(1, [1] * len(OWN.values)))
    other = Process(folder / "filter-rdns.1")
    other.write(record.pack(1, [2] * len(OWN.values)))
    found.read()
    assert found.totals() == {"filter-rdns": [3] * (LAST + 1)}
