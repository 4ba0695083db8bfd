"""Programs that are started, and how they end."""

import sys
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.programs import trial
from opensmtpd_cli.commands.check.programs.trial import Trial
from opensmtpd_cli.plugin.start import Program

pytestmark = pytest.mark.usefixtures("graceless")

LONG = 60.0
"""Seconds, for programs that answer."""
SHORT = 0.3
"""Seconds, for those that never do."""
HEAD = """\
import os, sys, time
def say(*lines):
    for line in lines: os.write(1, line.encode() + b"\\n")
def config():
    while sys.stdin.readline() != "config|ready\\n": pass
"""


def program(folder: Path, code: str) -> Program:
    path = folder / "program"
    path.write_text(f"#!{sys.executable} -IS\n{HEAD}{code}\n")
    path.chmod(0o755)
    return Program(str(path), [str(path)])


def filter_(folder: Path, code: str, within: float = LONG) -> Trial:
    return trial.filter_starts(program(folder, code), ["6.8.0", "7.6.0"], within)


def table(folder: Path, code: str, within: float = LONG) -> Trial:
    return trial.table_starts(program(folder, code), "users", "7.6.0", within)


def test_a_filter_that_would_do(tmp_path: Path) -> None:
    code = 'config()\nsay("register|filter|smtp-in|connect", "register|ready")\nsys.stdin.read()'
    assert filter_(tmp_path, code) == Trial("", [])


def test_a_filter_that_registers_what_smtpd_does_not_know(tmp_path: Path) -> None:
    code = 'config()\nsay("register|filter|smtp-in|later", "register|ready")\nsys.stdin.read()'
    assert "later" in filter_(tmp_path, code).fault


def test_a_filter_that_ends(tmp_path: Path) -> None:
    found = filter_(tmp_path, 'sys.stderr.write("no \\x1b[2J key\\n"); sys.exit(3)')
    assert found == Trial("lost processor: the filter exited with status 3", ["no \\x1b[2J key"])


def test_a_filter_that_hangs(tmp_path: Path) -> None:
    found = filter_(tmp_path, 'sys.stderr.write("hm"); sys.stderr.flush()\ntime.sleep(300)', 1.5)
    assert found == Trial("does not answer within 1.5 s", ["hm"], hangs=True)


def test_what_it_says_when_we_hang_up_is_no_reason(tmp_path: Path) -> None:
    code = (
        'sys.stderr.write("hm\\n"); sys.stderr.flush()\nsys.stdin.read(); sys.stderr.write("gone")'
    )
    assert filter_(tmp_path, code, SHORT).log == ["hm"]


def test_a_table_that_would_do(tmp_path: Path) -> None:
    code = (
        "head = [sys.stdin.readline() for _ in range(4)]\n"
        'sys.stderr.write(head[0] + head[2])\nsay("register|alias", "register|ready")'
    )
    found = table(tmp_path, code)
    assert found == Trial("", ["config|smtpd-version|7.6.0", "config|tablename|users"])


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ('config()\nsay("register|ready")', "it registers no service"),
        ("config()\nsys.exit(0)", "it ended with status 0"),
        ("os.kill(os.getpid(), 9)", "it died of SIGKILL"),
        ("os.kill(os.getpid(), 40)", "it died of signal 40"),
    ],
)
def test_tables_that_smtpd_dies_of(tmp_path: Path, code: str, fault: str) -> None:
    assert table(tmp_path, code).fault == fault


def test_a_table_that_registers_nonsense(tmp_path: Path) -> None:
    assert table(tmp_path, 'config()\nsay("register|nonsense")').fault != ""


def test_a_table_that_talks_without_end(tmp_path: Path) -> None:
    found = table(tmp_path, 'config()\nwhile True: say("register|alias")', SHORT)
    assert found.hangs


def test_what_our_own_program_says_of_itself(tmp_path: Path) -> None:
    assert trial.checked(program(tmp_path, 'say("OK")'), LONG) == Trial("", [])
    code = 'sys.stderr.write("x: no; mend it\\n"); sys.exit(1)'
    found = trial.checked(program(tmp_path, code), LONG)
    assert found == Trial("it ended with status 1", ["x: no; mend it"])
    assert trial.checked(program(tmp_path, "time.sleep(300)"), SHORT).hangs


def test_what_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("")
    found = trial.checked(Program(str(tmp_path / "none"), ["x"]), LONG)
    assert found.fault == f"{tmp_path}/none cannot be run: Permission denied"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("#!/usr/bin/python3\nfrom opensmtpd_filters.early import dkimsign\n", True),
        ("#!/usr/bin/python3\nimport sys\nfrom opensmtpd import run\n", True),
        ("#!/usr/bin/python3\nif x:\n    import opensmtpd_tables.flat\n", True),
        ("#!/usr/bin/python3\nimport opensmtpd_mine\n", False),
        ("#!/bin/sh\n# from opensmtpd import x\n", False),
        ("from opensmtpd import run\n", False),
        ("\x7fELF", False),
    ],
)
def test_whether_a_program_is_ours(tmp_path: Path, text: str, ours: bool) -> None:
    (tmp_path / "program").write_text(text)
    assert trial.is_ours(str(tmp_path / "program")) is ours
    assert not trial.is_ours(str(tmp_path / "none"))
