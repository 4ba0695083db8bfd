"""Changes to smtpd.conf, as a unified diff that patch(1) applies."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping

from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.lexer import written

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def diff(configuration: Configuration, targets: Mapping[str, str]) -> bytes:
    """Return the diff of all files. ``targets`` has tables' names and their new TYPE:PATH.

    Raises ConfigError for a name or path that smtpd.conf cannot hold.
    """
    parts = [_file_diff(configuration, path, targets) for path in configuration.files]
    return "".join(parts).encode("latin-1")


def replaced(configuration: Configuration, path: str, targets: Mapping[str, str]) -> str:
    """Return a file with the new targets in it, its bytes as latin-1."""
    text = configuration.files[path].decode("latin-1")
    tables = [table for table in configuration.tables.values() if table.path == path]
    for table in sorted(tables, key=lambda table: table.start, reverse=True):
        if table.name in targets:
            words = written(targets[table.name])
            if table.whole:
                words = f"table {written(table.name)} {words}"
            words = words.encode("utf-8", "surrogateescape").decode("latin-1")
            text = text[: table.start] + words + text[table.end :]
    return text


def _file_diff(configuration: Configuration, path: str, targets: Mapping[str, str]) -> str:
    old = configuration.files[path].decode("latin-1")
    new = replaced(configuration, path, targets)
    label = os.fsencode(os.path.realpath(path)).decode("latin-1")
    label += "\t" if " " in label else ""  # or patch would take the first word
    lines = difflib.unified_diff(_LINE.findall(old), _LINE.findall(new), label, label)
    return "".join(_ended(lines))


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
