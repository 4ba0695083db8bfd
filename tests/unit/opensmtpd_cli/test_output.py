"""Remarks and complaints on stderr, and results that nobody reads."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from opensmtpd_cli import main
from opensmtpd_cli.output import complain, note, progress_wanted
from unit.support.swap import Program

PROGRAM = [sys.executable, "-c", "from opensmtpd_cli.main import main; main()"]


def test_quiet(run: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def talk() -> None:
        note("by the way")
        complain("wrong")
        click.echo("result")

    monkeypatch.setitem(main.main.commands, "talk", talk)
    assert run("talk") == (0, "result\n", "by the way\nwrong\n")
    assert run("--quiet", "talk") == (0, "result\n", "wrong\n")


@pytest.mark.parametrize("arguments", [["--help"], ["export"]])
def test_nobody_reads_what_it_says(tmp_path: Path, arguments: list[str]) -> None:
    if arguments == ["export"]:
        conf = tmp_path / "smtpd.conf"
        conf.write_text("table t { a }\n", encoding="ascii")
        subprocess.run(
            [*PROGRAM, "import", conf, tmp_path / "db"],
            check=True,
            capture_output=True,
            timeout=120,
        )
        arguments = ["--quiet", "export", str(tmp_path / "db"), str(tmp_path)]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        said = subprocess.run(
            [*PROGRAM, *arguments], stdout=out, stderr=subprocess.PIPE, timeout=120, check=False
        )
    assert (said.returncode, said.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("terminal", "arguments", "wanted"),
    [(True, [], True), (True, ["--quiet"], False), (False, [], False)],
)
def test_progress_is_shown_on_a_terminal_and_not_with_quiet(
    run: Program,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    arguments: list[str],
    wanted: bool,
) -> None:
    @click.command()
    def show() -> None:
        click.echo(progress_wanted())

    monkeypatch.setitem(main.main.commands, "show", show)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    assert run(*arguments, "show") == (0, f"{wanted}\n", "")
