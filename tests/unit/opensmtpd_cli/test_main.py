"""The program as a whole: what it offers, and how it ends."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest

from opensmtpd.errors import LocalError
from opensmtpd_cli import main
from unit.support.swap import Program

COMMANDS = [
    "alias",
    "authenticate",
    "check",
    "completion",
    "dmarc",
    "dns",
    "domain",
    "export",
    "filter",
    "genkey",
    "help",
    "import",
    "install",
    "lookup",
    "release",
    "replay",
    "show",
    "testkey",
    "user",
]
PROGRAM = [sys.executable, "-c", "from opensmtpd_cli.main import main; main()"]


def test_the_commands(run: Program) -> None:
    assert main.main.list_commands(click.Context(main.main)) == COMMANDS
    said = run("--help")
    assert said.status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in said.out
    assert "..." not in said.out.partition("Commands:")[2]  # each says all in one line


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command(run: Program, name: str) -> None:
    said = run(name, "--help")
    assert said.status == 0
    assert said.out.startswith(f"Usage: opensmtpd-plugins {name} [OPTIONS]")


def test_the_version(run: Program) -> None:
    said = run("--version")
    assert (said.status, said.out.split()[0]) == (0, "opensmtpd-plugins")


def test_what_goes_wrong_is_said_in_one_line(run: Program, tmp_path: Path) -> None:
    said = run("import", tmp_path / "no\nne", tmp_path / "db")
    assert said == (
        1,
        "",
        f"opensmtpd-plugins: {tmp_path}/no\\nne: cannot read it: No such file or directory;"
        " make the file, or correct the path\n",
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError(1, "Operation not permitted"), "Operation not permitted"),
        (
            OSError(30, "Read-only file system", "/x"),
            "/x: Read-only file system; mount its file system for writing, or choose another place",
        ),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (sqlite3.OperationalError("database is locked"), "database is locked"),
        (LocalError("\x1b[31m"), "\\x1b[31m"),
    ],
)
def test_errors_of_the_system(
    run: Program, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setitem(main.main.commands, "fail", fail)
    assert run("fail") == (1, "", f"opensmtpd-plugins: {text}\n")


def test_only_the_command_that_runs_is_imported() -> None:
    code = """
import sys
from opensmtpd_cli.main import main
main(["completion", "bash"], standalone_mode=False)
print(*sorted(name for name in sys.modules if name.startswith("opensmtpd_cli.commands.")))
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=120, check=True
    )
    assert said.stdout.splitlines()[-1] == b""


def test_rich_is_read_only_where_it_shows() -> None:
    code = "import sys; from opensmtpd_cli import main; print('rich' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=120, check=True
    )
    assert said.stdout == b"False\n"
