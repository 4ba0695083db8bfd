"""The help of a plugin, found where smtpd looks for it, and of a command."""

from pathlib import Path

import pytest

from opensmtpd_cli.main import main
from opensmtpd_cli.system import libexec
from unit.support.swap import Program


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where smtpd looks for its plugins."""
    monkeypatch.setattr(libexec, "folders", lambda: (str(tmp_path),))
    return tmp_path


def plugin(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_plugin_tells_its_options(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plugin(place, "filter-x", 'echo "usage of $0: $@"')
    with pytest.raises(SystemExit) as ended:
        main(["help", "filter-x"])
    assert (ended.value.code, capfd.readouterr().out) == (0, f"usage of {place}/filter-x: --help\n")


def test_a_program_that_waits_for_smtpd_gets_the_end_and_its_status_is_ours(
    run: Program, place: Path
) -> None:
    plugin(place, "filter-x", "while read line; do :; done; exit 7")
    assert run("help", "filter-x").status == 7


def test_a_command_tells_its_options(run: Program, place: Path) -> None:
    said = run("help", "genkey")
    assert said.status == 0
    assert said.out.startswith("Usage: opensmtpd-plugins genkey [OPTIONS]")
    assert "--selector" in said.out


def test_a_misspelt_program_is_told_with_the_nearest(run: Program, place: Path) -> None:
    said = run("help", "filter-dkimsing")
    assert (said.status, said.out) == (1, "")
    assert "there is no program filter-dkimsing" in said.err
    assert "filter-dkimsign" in said.err
