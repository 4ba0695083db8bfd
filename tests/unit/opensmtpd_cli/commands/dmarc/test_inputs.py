"""The files that are named: files, folders, standard input."""

import io
import os
import sys
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.dmarc import inputs


def test_folders_are_walked_by_name(tmp_path: Path) -> None:
    for name in ("b.xml", "a/2.eml", "a/1.eml", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "c" / "loop").symlink_to(tmp_path)
    found = inputs.paths([str(tmp_path), "missing", "-"])
    assert [os.path.relpath(each, tmp_path) if "/" in each else each for each in found] == [
        "b.xml", "a/1.eml", "a/2.eml", "c/d/e", "missing", "-"
    ]  # fmt: skip


def test_what_a_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    assert inputs.content(str(tmp_path / "a")) == b"\xff"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xfe")))
    assert inputs.content("-") == b"\xfe"


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        inputs.content(str(tmp_path / "missing"))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError, match="a FIFO"):
        inputs.content(str(tmp_path / "fifo"))
    monkeypatch.setattr(inputs, "UNPACKED_MAX", 1 << 20)
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="holds more than 1 MB"):
        inputs.content(str(tmp_path / "large"))
