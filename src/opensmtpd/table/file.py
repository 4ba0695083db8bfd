"""The file format of table(5), read as ``parse_table_line`` in smtpd's ``util.c`` reads it.

A file is a list or a mapping: ``# @list`` in front of the first row says that it is a list, else
the first row decides. The key of a mapping ends at the first space, tab or colon, or behind the
``]`` where it begins with ``[``; keys are lower-cased (ASCII); both ends of a line are trimmed, and
a line that begins with ``#`` is a comment. The form of aliases(5) is a mapping like any other.

::

    file = TableFile(lines(path), path)
    for line, key, value in file:  # value is None in a list
        ...
    file.kind, file.directives     # complete when the rows have been read

Of rows with the same key smtpd keeps the last. Rows come as they stand in the file, so that the
reader can report the others.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.table.limits import KEY_MAX

__all__ = [
    "FileKind",
    "Row",
    "TableFile",
    "auth_directive",
    "directive",
    "lines",
    "sandbox_directive",
]

_WHITE = b" \t\n\v\f\r"  # isspace(3) in the C locale
_KEY_END = re.compile(rb"[ \t:]")
_DIRECTIVE = re.compile(rb"#\s*@(\S+)(?:\s+(.*))?", re.DOTALL)


class FileKind(StrEnum):
    """The kind of rows in a file."""

    LIST = "list"
    MAPPING = "mapping"


class Row(NamedTuple):
    """A row; bytes that are no UTF-8 live on as surrogates (``surrogateescape``)."""

    line: int
    """Counted from 1."""
    key: str
    """Lower-cased (ASCII)."""
    value: str | None
    """None in a list; never empty."""


class TableFile:
    """The rows of a file, read once, as a stream."""

    def __init__(self, lines: Iterable[bytes], path: str) -> None:
        """Take lines with or without their line feeds; ``path`` is named in errors only."""
        self.kind: FileKind | None = None
        """None before the first row, and in a file without rows."""
        self.directives: dict[str, str] = {}
        """Comments of the form ``# @NAME ARGUMENT``, the last of each name, without ``@list``."""
        self._lines = lines
        self._path = path

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows. Raises ConfigError, with file and line, for one that is malformed."""
        for number, line in enumerate(self._lines, 1):
            text = line.strip(_WHITE)
            if not text:
                continue
            if b"\0" in text:
                raise self._error("a NUL byte", number, "table files are text: remove it")
            if text.startswith(b"#"):
                self._comment(text)
                continue
            key, value = self._row(text, number)
            if len(key) > KEY_MAX:
                fault = f"a key of {len(key)} bytes"
                raise self._error(fault, number, f"smtpd takes {KEY_MAX}: shorten or remove it")
            yield Row(number, _text(key.lower()), None if value is None else _text(value))

    def _row(self, text: bytes, number: int) -> tuple[bytes, bytes | None]:
        end = self._key_end(text, number)
        if self.kind is None:
            self.kind = FileKind.LIST if end == len(text) else FileKind.MAPPING
        if self.kind is FileKind.LIST:
            return text, None
        # The byte at the end is skipped, then spaces and tabs: so does smtpd.
        value = text[end + 1 :].lstrip(b" \t")
        if not value:
            remedy = 'write "key: value", or put "# @list" above the rows of a list'
            raise self._error("a row without a value in a mapping", number, remedy)
        return text[:end], value

    def _key_end(self, text: bytes, number: int) -> int:
        if not text.startswith(b"["):
            match = _KEY_END.search(text)
            return match.start() if match else len(text)
        end = text.find(b"]") + 1
        if not end:
            remedy = "close the bracket behind the address"
            raise self._error('a "[" without its "]"', number, remedy)
        return end

    def _comment(self, text: bytes) -> None:
        if self.kind is None and text[1:].lstrip(_WHITE) == b"@list":
            self.kind = FileKind.LIST
        name, argument = directive(text)
        if name not in ("", "list"):
            self.directives[name] = argument

    def _error(self, message: str, number: int, remedy: str) -> ConfigError:
        return ConfigError(message, path=self._path, line=number, remedy=remedy)


def lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file. Raises ConfigError for one that cannot be read."""
    with reading(path) as file:
        yield from file


def directive(comment: bytes) -> tuple[str, str]:
    """Return name and argument of a comment ``# @NAME ARGUMENT``, both empty for any other."""
    match = _DIRECTIVE.fullmatch(comment.strip(_WHITE))
    return (_text(match[1]), _text(match[2] or b"")) if match else ("", "")


def auth_directive(directives: Mapping[str, str], path: str) -> str | None:
    """Return the argument of ``# @auth``: nothing or ``force``; None where there is no such line.

    It has a table check passwords itself, with ``force`` for an smtpd before 7.9, too. Raises
    ConfigError for another argument.
    """
    argument = directives.get("auth")
    if argument not in (None, "", "force"):
        remedy = 'write "# @auth" or "# @auth force"'
        raise ConfigError("an unknown argument of @auth", path=path, remedy=remedy)
    return argument


def sandbox_directive(directives: Mapping[str, str], path: str) -> bool:
    """Return False where ``# @sandbox no`` has the table keep all rights; else True.

    Raises ConfigError for another argument.
    """
    argument = directives.get("sandbox", "yes")
    if argument not in ("yes", "no"):
        remedy = 'write "# @sandbox no", or remove the line'
        raise ConfigError("an unknown argument of @sandbox", path=path, remedy=remedy)
    return argument == "yes"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
