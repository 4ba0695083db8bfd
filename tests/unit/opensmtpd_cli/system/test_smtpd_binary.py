"""The version of the installed smtpd, read from its program."""

import os
import re
from pathlib import Path

import pytest

from lab.support import need_stage
from opensmtpd_cli.system import smtpd_binary
from opensmtpd_cli.system.smtpd_binary import installed_version, string_in, version_in

SMTPD = b"\x7fELF\0version: OpenSMTPD %s\0config|smtpd-version|%%s\0"


@pytest.mark.parametrize(
    ("binary", "wanted"),
    [
        (SMTPD % b"6.8.0p2", (6, 8, 0)),
        (SMTPD % b"7.6.0-portable", (7, 6, 0)),
        (SMTPD % b"7.6.0", (7, 6, 0)),
        (SMTPD % b"7.10.12-portable", (7, 10, 12)),
        (SMTPD % b"7.6.0" * 2, (7, 6, 0)),
        (SMTPD % b"7.6.0" + SMTPD % b"7.9.0", None),
        (SMTPD % b"7.6", None),
        (SMTPD % b"12345.6.0", None),
        (SMTPD % b"%s", None),
        (b"version: OpenSMTPD 7.6.0", None),
        (b"\0version: OpenSSH 9.9.0\0", None),
        (b"", None),
    ],
)
def test_version_of_a_binary(
    tmp_path: Path, binary: bytes, wanted: tuple[int, int, int] | None
) -> None:
    (tmp_path / "smtpd").write_bytes(binary)
    assert version_in(str(tmp_path / "smtpd")) == wanted


def test_what_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "long").touch()
    os.truncate(tmp_path / "long", (64 << 20) + 1)
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "long", tmp_path / "no"):
        assert string_in(str(path), re.compile(b"\0(\0)")) is None


@pytest.mark.parametrize(("smtpd", "wanted"), [("7.6", (7, 6, 0)), ("7.9", (7, 9, 0))])
def test_the_version_of_a_real_one(smtpd: str, wanted: tuple[int, int, int]) -> None:
    assert version_in(str(need_stage(smtpd).root / "usr/sbin/smtpd")) == wanted


def test_the_installed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_version() is None
    for name, text in (("other", b""), ("smtpd", SMTPD % b"7.6.0"), ("more", SMTPD % b"7.9.0")):
        (tmp_path / name).write_bytes(text)
    found = [str(tmp_path / name) for name in ("no", "other", "smtpd", "more")]
    monkeypatch.setattr(smtpd_binary, "paths", lambda: found)
    assert installed_version() == (7, 6, 0)
