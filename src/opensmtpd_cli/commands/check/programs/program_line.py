"""The lines of smtpd.conf that have smtpd run a program.

Sources: ``fork_filter_processes`` in ``smtpd.c``; ``table_create`` in ``table.c``.
"""

import os
import re
import shutil
from collections.abc import Collection, Iterator
from typing import NamedTuple

from opensmtpd_cli.plugin.start import SEARCHED
from opensmtpd_cli.smtpdconf import recorded
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.system import libexec

BUILT_IN = ("file", "static", "db", "getpwnam", "proc")
"""Tables that are parts of smtpd."""


class FilterRun(NamedTuple):
    """A process of a filter: smtpd starts one for each of these lines, used or not."""

    place: tuple[str, int]
    title: str
    entry: FilterEntry
    recorded: bool = False
    """True for the program that filter-record starts, and not smtpd itself."""


class TableRun(NamedTuple):
    """A process of a table."""

    place: tuple[str, int]
    title: str
    line: TableLine
    recorded: bool = False
    """True for the program that table-record starts."""


def filters(configuration: Configuration) -> Iterator[FilterRun]:
    """Yield the processes of filters, and behind each the one that it records."""
    for proc in configuration.procs.values():
        yield from _with_recorded(FilterRun(proc.place, f'proc "{proc.name}"', proc.entry))
    for each in configuration.filters.values():
        if each.kind == "proc-exec" and each.entry is not None:
            yield from _with_recorded(FilterRun(each.place, f'filter "{each.name}"', each.entry))


def _with_recorded(run: FilterRun) -> Iterator[FilterRun]:
    yield run
    if entry := recorded.filter_in(run.entry):
        yield from _with_recorded(FilterRun(run.place, run.title, entry, recorded=True))


def tables(configuration: Configuration) -> Iterator[TableRun]:
    """Yield the processes of tables, and behind each the one that it records."""
    for each in configuration.tables.values():
        place = each.path, each.line
        for number, line in enumerate(recorded.tables(each)):
            if line.kind not in BUILT_IN:
                yield TableRun(place, f"table {each.name}", line, recorded=number > 0)


def place(name: str, chroot: str, *, recorded: bool = False) -> str | None:
    """Return the path of a program in its chroot; None where smtpd would not find it.

    A name without a leading slash is looked for where smtpd looks, and nowhere else; a program
    that records another goes on to look where a shell does.
    """
    found = [name] if name.startswith("/") else [f"{each}/{name}" for each in libexec.folders()]
    at = next((path for path in found if os.path.exists(chroot + path)), None)
    return shutil.which(name, path=SEARCHED) if recorded and not (at or chroot) else at


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
