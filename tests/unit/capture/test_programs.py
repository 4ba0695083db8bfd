import argparse
import sys
from pathlib import Path

import pytest

from opensmtpd.capture import programs
from opensmtpd.capture.writer import CaptureSettings
from opensmtpd.errors import ConfigError


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_beside_this_one_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, path = tmp_path / "ours", tmp_path / "path"
    for folder in (ours, path):
        folder.mkdir()
        program(folder / "filter-x")
    program(path / "filter-y")
    monkeypatch.setattr(sys, "argv", [str(ours / "filter-record")])
    monkeypatch.setattr(programs, "FOLDERS", ())
    monkeypatch.setenv("PATH", str(path))
    assert programs.place("filter-x") == str(ours / "filter-x")
    assert programs.place("filter-y") == str(path / "filter-y")
    assert programs.place("/any/thing") == "/any/thing"
    with pytest.raises(ConfigError, match="there is no program filter-z; write its whole path"):
        programs.place("filter-z")


@pytest.mark.parametrize(("text", "size"), [("64K", 1 << 16), ("2G", 2 << 30), ("70000", 70000)])
def test_sizes(text: str, size: int) -> None:
    assert programs.capture_size(text) == size


@pytest.mark.parametrize("text", ["0", "65535", "1K", "x", "-1"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        programs.capture_size(text)


@pytest.mark.parametrize("text", ["0", "101", "x", "", "-1", "9" * 5000])
def test_numbers_of_files_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        programs.files(text)


def test_the_check(tmp_path: Path) -> None:
    good = CaptureSettings(str(tmp_path / "capture"), 1, 1)
    programs.check(good, "/bin/sh")
    with pytest.raises(ConfigError, match="no files can be made there; make it for the user"):
        programs.check(CaptureSettings(str(tmp_path / "no/capture"), 1, 1), "/bin/sh")
    with pytest.raises(ConfigError, match="/no/x: it cannot be run"):
        programs.check(good, "/no/x")
