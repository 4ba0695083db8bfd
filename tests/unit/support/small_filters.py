"""Small filter programs, and what the command said of one with its times taken out."""

import re
import sys
from pathlib import Path

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
