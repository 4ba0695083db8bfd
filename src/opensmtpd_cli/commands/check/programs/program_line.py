"""The lines of smtpd.conf that have smtpd run a program.

Sources: ``fork_filter_processes`` in ``smtpd.c``; ``table_create`` in ``table.c``.
"""

import os
import re
import shlex
from collections.abc import Collection, Iterator
from typing import NamedTuple

from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.system import libexec

BUILT_IN = ("file", "static", "db", "getpwnam", "proc")
"""Tables that are parts of smtpd."""
_SHELL = frozenset("$`*?[]{}()<>|&;~#!\n\\")
"""What the shell may make something else of, outside of quotes."""


class FilterRun(NamedTuple):
    """A process of a filter: smtpd starts one for each of these lines, used or not."""

    place: tuple[str, int]
    title: str
    entry: FilterEntry


class TableRun(NamedTuple):
    """A process of a table."""

    place: tuple[str, int]
    title: str
    line: TableLine


def filters(configuration: Configuration) -> Iterator[FilterRun]:
    """Yield the processes of filters."""
    for proc in configuration.procs.values():
        yield FilterRun(proc.place, f'proc "{proc.name}"', proc.entry)
    for each in configuration.filters.values():
        if each.kind == "proc-exec" and each.entry is not None:
            yield FilterRun(each.place, f'filter "{each.name}"', each.entry)


def tables(configuration: Configuration) -> Iterator[TableRun]:
    """Yield the processes of tables."""
    for each in configuration.tables.values():
        if each.target is None or each.file is not None:
            continue
        kind, _, path = each.target.partition(":")
        if kind not in BUILT_IN:
            line = TableLine(each.name, kind, path or None)
            yield TableRun((each.path, each.line), f"table {each.name}", line)


def words(command: str) -> list[str]:
    """Return the program and the arguments of a filter's command.

    The list is empty where only a shell could tell them.
    """
    return shlex.split(command) if _plain(command) else []


def _plain(command: str) -> bool:
    """Return whether a command is the same words for any shell."""
    quote = ""
    for char in command:
        if quote:
            quote = "" if char == quote else quote
            if quote == '"' and char in "$`\\":
                return False
        elif char in "'\"":
            quote = char
        elif char in _SHELL:
            return False
    return not quote


def place(name: str, chroot: str) -> str | None:
    """Return the path of a program in its chroot; None where smtpd would not find it.

    A name without a leading slash is looked for where smtpd looks, and nowhere else.
    """
    found = [name] if name.startswith("/") else [f"{each}/{name}" for each in libexec.folders()]
    return next((path for path in found if os.path.exists(chroot + path)), None)


def arguments(words: list[str]) -> Iterator[str]:
    """Yield the full paths among the arguments of a program, those inside of options too."""
    for word in words:
        found = _PATH.fullmatch(word)
        if found and "\0" not in word:
            yield found[1]


_PATH = re.compile(r"(?:-[A-Za-z]|--[A-Za-z0-9-]+=)?(/[^\0]*)", re.DOTALL)


def values(words: list[str], options: Collection[str]) -> Iterator[str]:
    """Yield the full paths that are given with some options, long ones or of one letter."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in options:
            value = following
        else:
            start = next((each for each in options if word.startswith(f"{each}=/")), "")
            value = word[len(start) + 1 :] if start else word[2:] if word[:2] in options else ""
        if value.startswith("/"):
            yield value
