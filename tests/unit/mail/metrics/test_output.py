"""The file with metrics."""

import os
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.metrics.output import OutputFile


def test_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "opensmtpd.prom"
    output = OutputFile(str(path))
    output.write(b"first\n")
    with open(path, "rb") as reader:
        output.write(b"second\n")
        assert reader.read() == b"first\n"  # a whole text, though an old one
    assert path.read_bytes() == b"second\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["opensmtpd.prom"]


def test_a_failure_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "opensmtpd.prom"
    output = OutputFile(str(path))
    path.mkdir()
    for _ in range(3):
        output.write(b"text\n")
    path.rmdir()
    output.write(b"text\n")
    path.unlink()
    path.mkdir()
    output.write(b"text\n")
    said = capfd.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == ["metrics-not-written"] * 2
    assert str(path) in said[0]


def test_links_of_others_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "opensmtpd.prom.new").symlink_to(target)
    OutputFile(str(tmp_path / "opensmtpd.prom")).write(b"text\n")
    assert target.read_text() == "precious"


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("opensmtpd.prom", "not the whole path"),
        ("{}/", "not the whole path"),
        ("{}/a\0b", "not the whole path"),
        ("{}/missing/opensmtpd.prom", "no such directory"),
    ],
)
def test_paths_that_cannot_be_used(tmp_path: Path, path: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        OutputFile(path.format(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else() -> None:
    with pytest.raises(ConfigError, match="cannot make a file there"):
        OutputFile("/opensmtpd.prom")
