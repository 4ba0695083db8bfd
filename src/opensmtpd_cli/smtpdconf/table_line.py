"""A ``table`` line of smtpd.conf that an operator gives.

RowSource: the rule ``table`` in ``parse.y``.
"""

import shlex
from pathlib import Path
from typing import NamedTuple

from opensmtpd.errors import ConfigError

_FILES = ("file", "static")


class TableLine(NamedTuple):
    """The words of a line. ``path`` is None where it gives none."""

    name: str
    kind: str
    path: str | None

    @property
    def built_in(self) -> bool:
        """True where smtpd reads the file itself, and runs no program."""
        return self.kind in _FILES


def parse(text: str) -> TableLine:
    """Read ``table NAME TYPE:PATH`` or ``TYPE:PATH``, named as the file then. Raises ConfigError.

    A path alone is a file, as in smtpd.conf.
    """
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise ConfigError(f"no table line: {error}") from None
    if len(words) > 2 and words[0] == "table" and words[2].startswith("{"):
        raise ConfigError("the rows of this table stand in smtpd.conf: there is nothing to ask")
    if len(words) not in (1, 3) or (len(words) == 3 and words[0] != "table"):
        raise ConfigError("no table line", remedy="write it as: table NAME TYPE:/PATH")
    name = words[1] if len(words) == 3 else ""
    return of(name, words[-1])


def of(name: str, target: str) -> TableLine:
    """Return the table of a TYPE:PATH; "" is named as its file. Raises ConfigError."""
    kind, colon, path = ("file", ":", target) if target.startswith("/") else target.partition(":")
    if colon and not path.startswith("/"):
        raise ConfigError("smtpd wants a path that begins with /", remedy=f"not {path!r}")
    return TableLine(name or Path(path or kind).stem, kind, path or None)
