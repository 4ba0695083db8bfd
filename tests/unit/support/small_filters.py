"""Small filter programs, ``filter`` with one of them, and its output without its times."""

import re
import sys
from inspect import signature
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from opensmtpd_cli.commands.filter.command import command

MAIL = b"Subject: hi\nFrom: a@example.com\n\n.dot\nhello\n"
DIES = "smtpd: dies, and all mail stops"
WAITS = "smtpd: has the client wait for ever"

HEAD = """#!{python} -S
import os, sys, time
out = sys.stdout.buffer
def say(text):
    out.write(text if isinstance(text, bytes) else text.encode())
    out.flush()
def config():
    for line in sys.stdin.buffer:
        if line == b"config|ready\\n":
            return
def hello(*phases, reports=()):
    config()
    for name in reports:
        say("register|report|smtp-in|%s\\n" % name)
    for name in phases:
        say("register|filter|smtp-in|%s\\n" % name)
    say("register|ready\\n")
def requests():
    for line in sys.stdin.buffer:
        fields = line.rstrip(b"\\n").split(b"|", 7)
        if fields[0] == b"filter":
            yield fields[4].decode(), fields[5], fields[6], fields[7]
def answer(session, token, text):
    say(b"filter-result|%s|%s|%s\\n" % (session, token, text))
def line(session, token, text):
    say(b"filter-dataline|%s|%s|%s\\n" % (session, token, text))
"""

ECHO = """
hello("data-line")
for phase, session, token, text in requests():
    line(session, token, text)
"""


def program(folder: Path, body: str, name: str = "filter-x") -> Path:
    """Write a program."""
    path = folder / name
    path.write_text(HEAD.format(python=sys.executable) + body)
    path.chmod(0o755)
    return path


def decides(phase: str, answer: str) -> str:
    """Return a filter that says one thing in one phase."""
    return (
        f"hello({phase!r})\nfor phase, session, token, text in requests():\n"
        f"    answer(session, token, {answer!r}.encode())\n"
    )


def timeless(stderr: str) -> list[str]:
    """Return the lines of stderr, with all times as T."""
    return re.sub(r"(after |\()[0-9.]+ (s|ms|µs)(?=\)?$)", r"\1T", stderr, flags=re.M).splitlines()


def loops(body: str) -> str:
    """Return a filter that does something for each sender."""
    return f"hello('mail-from')\nfor phase, session, token, text in requests():\n    {body}\n"


def runner() -> CliRunner:
    """Return a runner that keeps stderr apart, as click does by itself since 8.2."""
    mixes = "mix_stderr" in signature(CliRunner).parameters
    options: dict[str, Any] = {"mix_stderr": False} if mixes else {}
    return CliRunner(**options)


def run(*argv: str, message: bytes = MAIL) -> Result:
    """Run ``filter`` on a message."""
    return runner().invoke(command, list(argv), input=message, prog_name="x")


def run_x(*argv: str) -> Result:
    """Run ``filter`` with filter-x."""
    return run("filter-x", *argv)


def end(result: Result) -> tuple[int, list[str]]:
    """Return the status, and the last two lines; nothing may have been printed."""
    assert result.stdout_bytes == b""
    return result.exit_code, timeless(result.stderr)[-2:]
