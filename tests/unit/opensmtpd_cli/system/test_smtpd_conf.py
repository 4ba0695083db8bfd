"""The path of smtpd.conf."""

from pathlib import Path

import pytest

from opensmtpd_cli.system import smtpd_binary, smtpd_conf


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    paths = tmp_path / "mail.conf", tmp_path / "smtpd.conf"
    monkeypatch.setattr(smtpd_conf, "PATHS", tuple(map(str, paths)))
    return paths


def test_the_first_that_is_there(known: tuple[Path, Path]) -> None:
    first, second = known
    assert smtpd_conf.usual_path() == str(first)
    second.touch()
    assert smtpd_conf.usual_path() == str(second)
    first.touch()
    assert smtpd_conf.usual_path() == str(first)


def test_the_one_that_smtpd_names(
    known: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = known
    smtpd = tmp_path / "smtpd"
    smtpd.write_bytes(b"\0%s\0\0%%s: no\0" % bytes(second))
    monkeypatch.setattr(smtpd_binary, "paths", lambda: [str(tmp_path / "none"), str(smtpd)])
    assert smtpd_conf.usual_path() == str(second)
    first.touch()
    assert smtpd_conf.usual_path() == str(first)  # smtpd was started with -f
    second.touch()
    assert smtpd_conf.usual_path() == str(second)
