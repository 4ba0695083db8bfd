"""Small table programs, ``lookup`` of one, and its output without its times."""

import re
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from opensmtpd_cli.commands.lookup.command import lookup

ID = "0c7d9dc5"
"""The id of every request (fixture ``same_ids``)."""

LINE = "table t x:/etc/t"
EXITED = "smtpd: dies, and all mail stops"

HEAD = """#!{python}
import os, sys, time
def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()
def config():
    lines = []
    while not lines or lines[-1] != "config|ready":
        lines.append(sys.stdin.readline().rstrip("\\n"))
    return lines
def hello(*services):
    config()
    say("".join("register|%s\\n" % service for service in (*services, "ready")))
def requests():
    for line in sys.stdin:
        verb, *rest = line.rstrip("\\n").split("|", 4)[4].split("|")
        service, id = rest[:2] if verb != "update" else ("", rest[0])
        yield verb, service, id, "|".join(rest[2:])
"""

ROWS = """
hello({services!r})
rows = {rows!r}
for verb, service, id, key in requests():
    value = rows.get(key)
    say("%s-result|%s|%s\\n" % (verb, id, "not-found" if value is None else
        "found" if verb == "check" else "found|" + value))
"""


def program(folder: Path, body: str, name: str = "table-x") -> Path:
    """Write a program."""
    path = folder / name
    path.write_text(HEAD.format(python=sys.executable) + body)
    path.chmod(0o755)
    return path


def rows(folder: Path, service: str, rows: dict[str, str], name: str = "table-x") -> Path:
    """Write a good table with these rows."""
    return program(folder, ROWS.format(services=service, rows=rows), name)


def plain(output: str) -> list[str]:
    """Return the lines of an output, with all times as T."""
    output = re.sub(r"\|[0-9]{9,}\.[0-9]{6}\|", "|T|", output)
    return re.sub(r"after [0-9.]+ (s|ms|µs)$", "after T", output, flags=re.MULTILINE).splitlines()


def run(*argv: str, stdin: str = "") -> Result:
    """Run ``lookup`` with the exchange; wait for answers as long as a busy machine takes."""
    patience = ["--timeout", "60"] if "--timeout" not in argv else []
    return CliRunner().invoke(lookup, ["-v", *argv, *patience], input=stdin, prog_name="x")


def end(result: Result) -> tuple[int, list[str]]:
    """Return the status, and what comes behind the last answer."""
    lines = plain(result.output)
    last = max(at for at, line in enumerate(lines) if line[:2] in ("> ", "< ", "# ", "! "))
    return result.exit_code, lines[last + 1 :]
