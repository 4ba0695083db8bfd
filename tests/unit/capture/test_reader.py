"""Captures that are cut off, damaged or hostile: what is readable is read, and the rest is told."""

from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.capture.format import (
    CapturedLines,
    CaptureHeader,
    CaptureKind,
    entry_value,
    header_value,
)
from opensmtpd.capture.reader import CaptureReader
from opensmtpd.errors import ConfigError
from unit.support import captures
from unit.support.captures import S

ENTRIES = [CapturedLines(float(number), S, b"%d\n" % number) for number in range(50)]
HEADER = msgpack.packb(header_value(CaptureHeader(CaptureKind.FILTER, "filter-x", 1.0)))
WHOLE = HEADER + b"".join(msgpack.packb(entry_value(entry)) for entry in ENTRIES)


def read(path: Path, data: bytes) -> tuple[list[object], str]:
    path.write_bytes(data)
    reader = CaptureReader(str(path))
    return list(reader), reader.damage


def test_each_cut_leaves_what_stands_before_it(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    for end in range(len(HEADER), len(WHOLE) + 1):
        found, damage = read(path, WHOLE[:end])
        assert found == ENTRIES[: len(found)]
        rest = WHOLE[:end].removeprefix(HEADER + b"".join(
            msgpack.packb(entry_value(entry)) for entry in ENTRIES[: len(found)]))  # fmt: skip
        cut = f"{path}: its last record is cut off; what follows is not read"
        assert damage == (cut if rest else "")


@pytest.mark.parametrize("data", [b"", b"x", b"\x80", b"\xc1", WHOLE[:5], b"\x91" * 3000, b"{}"])
def test_what_is_no_capture(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "capture"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"it is no capture; name a file that filter-record"):
        CaptureReader(str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        CaptureReader(str(tmp_path / "capture"))


@pytest.mark.parametrize(
    "bad",
    [
        b"\xc1",
        b"\x01",
        msgpack.packb([1.0, 9, b"x\n"]),
        b"\xc6\xff\xff\xff\xff",  # 4 GiB of bytes
        b"\xdd\xff\xff\xff\xff",  # and as many items
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 5000 + b"\xc0",
        msgpack.packb(msgpack.ExtType(5, b"x")),
    ],
)
def test_damage_in_the_middle(tmp_path: Path, bad: bytes) -> None:
    found, damage = read(tmp_path / "capture", WHOLE + bad + WHOLE)
    assert found == ENTRIES
    assert damage.endswith("; what follows is not read")


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_header(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    found, _ = read(tmp_path_factory.getbasetemp() / "any", WHOLE + data)
    assert found[: len(ENTRIES)] == ENTRIES


def test_files_of_another_run_are_not_taken_for_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    captures.write(tmp_path / "capture.1", CaptureKind.FILTER, ENTRIES)
    found, damage = read(path, WHOLE)
    assert (found, damage) == (ENTRIES, "")
    (tmp_path / "capture.1").write_bytes(b"none")
    assert read(path, WHOLE) == (ENTRIES, "")
