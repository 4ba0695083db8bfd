"""The words of an alias: ``expand_line`` in expand.c, ``alias_is_…`` in to.c."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

VALUE_MAX = 2047
"""Bytes of the value of an alias: LINE_MAX of expand.c less the final NUL."""

_USERNAME = re.compile(r"[A-Za-z0-9_.+-]+")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%*/?|^{}`~&'+=_.-]+@[A-Za-z0-9.-]+")
_ERROR = re.compile(r":?error:[45][0-9]{2} [A-Za-z0-9].*", re.IGNORECASE)
_INCLUDE = re.compile(r":?include:(/.*)", re.IGNORECASE)
_FILE = re.compile(r"/.*", re.DOTALL)
_PROGRAM = re.compile(r'\|.*|"\|.*"')


class WordKind(Enum):
    """The kinds of words. smtpd tries them in this order."""

    ERROR = 1
    INCLUDE = 2
    PROGRAM = 3
    FILE = 4
    ADDRESS = 5
    USER = 6
    NOTHING = 7
    """No word that smtpd can read: it refuses the mail for the moment, each time."""


class Word(NamedTuple):
    """A word. ``text`` of an include is the path alone."""

    kind: WordKind
    text: str


def words(value: str) -> Iterator[Word]:
    """Yield the words of the value of an alias."""
    if len(value.encode(errors="surrogateescape")) > VALUE_MAX:
        yield Word(WordKind.NOTHING, f"of more than {VALUE_MAX} bytes")
        return
    for text in _split(value):
        yield _word(text)


def _word(text: str | None) -> Word:
    if text is None:
        return Word(WordKind.NOTHING, "with a quote or a backslash at its end")
    if _ERROR.fullmatch(text):
        return Word(WordKind.ERROR, text)
    if include := _INCLUDE.fullmatch(text):
        return Word(WordKind.INCLUDE, include[1])
    if _PROGRAM.fullmatch(text):
        return Word(WordKind.PROGRAM, text.strip('"')[1:])
    kinds = ((_FILE, WordKind.FILE), (_ADDRESS, WordKind.ADDRESS), (_USERNAME, WordKind.USER))
    return Word(
        next((kind for form, kind in kinds if form.fullmatch(text)), WordKind.NOTHING), text
    )


def _split(value: str) -> Iterator[str | None]:
    """Yield what is between commas that are in no quotes; None at the end for an open quote."""
    text: list[str] = []
    quote, escaped = "", False
    for char in value:
        if escaped:
            text.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "," and not quote:
            yield from filter(None, ["".join(text).strip()])
            text = []
        else:
            text.append(char)
            if char in "\"'" and quote in ("", char):
                quote = "" if quote else char
    if quote or escaped:
        yield None
    yield from filter(None, ["".join(text).strip()])
