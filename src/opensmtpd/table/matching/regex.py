"""POSIX extended regular expressions, ignoring case, with Python's re: ``table_regex_match``.

smtpd lower-cases the keys it asks for, and the keys of file tables too, so that case never matters
in a file table; it does not matter here either, with ``(?i)`` in front or without. (A range such as
``[A-z]`` holds each character that it holds in either case, which is what POSIX says.)

What is not POSIX gets no other meaning than smtpd's C library gives it. ``(?:``, a quantifier at
the beginning or after an anchor, back-references and ``\\d`` cannot be read; ``a*?`` is ``(a*)?``.
Of GNU's additions ``\\w \\W \\s \\S \\b \\B \\< \\>`` are read as in glibc and musl, though
OpenBSD knows the last two alone. Empty alternatives are read as in glibc, but an expression that is
empty as a whole matches nothing: an empty cell in a database must not match everything.

A match takes as long as Python's re takes, which may have no end with rows such as
``(a|aa)+$``: the caller must bound it. CPython looks for signals while it matches, and an exception
from a signal handler ends the match.
"""

import re

from opensmtpd.table.matching.brackets import read_bracket
from opensmtpd.table.matching.text import as_bytes

_DEPTH_MAX = 100
"""Groups within groups; Python's own limit depends on the depth of the caller."""
_REPEAT_MAX = 32767  # glibc's RE_DUP_MAX
_INTERVAL = re.compile(r"([0-9]*)(,?)([0-9]*)\}")
_ATOMS = {"w": r"\w", "W": r"\W", "s": r"\s", "S": r"\S"}
_ANCHORS = {"b": r"\b", "B": r"(?!\b)", "<": r"\b(?=\w)", ">": r"\b(?<=\w)"}


def compile_posix(row: str) -> re.Pattern[str] | None:
    """Return a row as a pattern for texts with a character for each byte; None if unreadable."""
    text = as_bytes(row)
    if text[:4].lower() == "(?i)":
        text = text[4:]
    if not text:
        return None
    try:
        return re.compile(_Reader(text).read(), re.ASCII | re.IGNORECASE | re.DOTALL)
    except (ValueError, re.error, RecursionError, OverflowError):
        return None


class _Reader:
    """Translates one expression, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._out: list[str] = []
        self._open: list[int] = []  # where in the output the open groups begin
        self._atom: int | None = None  # where what may be repeated begins

    def read(self) -> str:
        """Return the translation. Raises ValueError for what has none."""
        while self._at < len(self._pattern):
            char = self._pattern[self._at]
            self._at += 1
            self._take(char)
        if self._open:
            raise ValueError("a group without end")
        return "".join(self._out)

    def _take(self, char: str) -> None:
        match char:
            case "*" | "+" | "?":
                self._repeat(char)
            case "{":
                self._repeat(self._interval())
            case "(" | "|" | "^" | "$" | ")":
                self._structure(char)
            case "[":
                piece, self._at = read_bracket(self._pattern, self._at - 1)
                self._add(piece)
            case "\\":
                self._escape()
            case _:
                self._add("." if char == "." else re.escape(char))

    def _structure(self, char: str) -> None:
        if char == ")" and self._open:
            self._out.append(")")
            self._atom = self._open.pop()
        elif char == ")":
            self._add(r"\)")  # POSIX: special only where it has an opening one
        else:
            if char == "(":
                if len(self._open) >= _DEPTH_MAX:
                    raise ValueError("groups too deep")
                self._open.append(len(self._out))
            self._out.append({"(": "(?:", "|": "|", "^": r"\A", "$": r"\Z"}[char])
            self._atom = None

    def _add(self, atom: str) -> None:
        self._atom = len(self._out)
        self._out.append(atom)

    def _repeat(self, quantifier: str) -> None:
        """Repeat the last atom, in a group of its own lest Python reads ``*?`` and ``*+``."""
        if self._atom is None:
            raise ValueError("nothing to repeat")
        self._out[self._atom] = "(?:" + self._out[self._atom]
        self._out.append(")" + quantifier)

    def _interval(self) -> str:
        match = _INTERVAL.match(self._pattern, self._at)
        if match is None or not match[1] + match[2]:
            raise ValueError("no interval")
        self._at = match.end()
        least = int(match[1] or 0)
        most = int(match[3]) if match[3] else least if not match[2] else _REPEAT_MAX
        if not least <= most <= _REPEAT_MAX:
            raise ValueError("no interval")
        return f"{{{least},{match[3]}}}" if match[2] else f"{{{least}}}"

    def _escape(self) -> None:
        char = self._pattern[self._at : self._at + 1]
        self._at += 1
        if char in _ANCHORS:
            self._out.append(_ANCHORS[char])
            self._atom = None
        elif char in _ATOMS:
            self._add(_ATOMS[char])
        elif not char or (char.isascii() and char.isalnum()) or char in "`'":
            raise ValueError("an escape that systems read differently")
        else:
            self._add(re.escape(char))


class Regexes:
    """The rows that can be read, tried one by one in their order."""

    def __init__(self) -> None:
        self._rows: list[tuple[re.Pattern[str], str]] = []

    def add(self, row: str) -> bool:
        """Add a row; False for one that cannot be read."""
        pattern = compile_posix(row)
        if pattern is not None:
            self._rows.append((pattern, row))
        return pattern is not None

    def find(self, key: str) -> str | None:
        """Return the first row that matches anywhere in a key."""
        for pattern, row in self._rows:
            if pattern.search(key):
                return row
        return None
