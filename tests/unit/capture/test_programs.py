import argparse
import os
import sys
from pathlib import Path

import pytest

from opensmtpd._runtime import smtpd_user
from opensmtpd.capture import programs
from opensmtpd.capture.writer import CaptureSettings
from opensmtpd.errors import ConfigError
from unit.support.processes import CHECKED


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


def test_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = CaptureSettings(str(tmp_path / "capture"), 1, 1)
    programs.check("filter-record", good, "/bin/sh")
    assert capsys.readouterr().out == f"filter-record: {CHECKED}\n"
    with pytest.raises(ConfigError, match="no files can be made there; make it for the user"):
        programs.check("filter-record", good._replace(path=f"{tmp_path}/no/capture"), "/bin/sh")
    with pytest.raises(ConfigError, match="/no/x: it cannot be run"):
        programs.check("filter-record", good, "/no/x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_roots_check_is_made_as_the_filters_user_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conf, capture = tmp_path / "smtpd.conf", "/root/capture"
    conf.write_text(
        f'filter x proc-exec "filter-record {capture} -- /bin/sh" user nobody group nogroup\n'
    )
    monkeypatch.setattr(smtpd_user, "CONFS", (str(conf),))
    monkeypatch.setattr(sys, "argv", ["filter-record", "-n", capture, "--", "/bin/sh"])
    with pytest.raises(ConfigError, match="as user nobody: /root: no files can be made there"):
        programs.check("filter-record", CaptureSettings(capture, 1, 1), "/bin/sh")
    conf.write_text("")
    programs.check("filter-record", CaptureSettings(capture, 1, 1), "/bin/sh")
    assert capsys.readouterr().out == "filter-record: configuration OK, read as root\n"
