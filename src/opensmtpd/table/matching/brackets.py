"""Bracket expressions of POSIX regular expressions (IEEE 1003.1 section 9.3.5), for Python's re.

In them a backslash is a character like any other, and so is a ``]`` at the beginning. Texts have a
character for each byte. What POSIX leaves undefined is read as glibc reads it, or not at all.
"""

from typing import NamedTuple

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\x09-\x0d\x20",
    "blank": r"\x09\x20",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
    "cntrl": r"\x00-\x1f\x7f",
    "xdigit": "0-9A-Fa-f",
}
"""Names of classes and what Python writes between brackets for them, in the C locale."""


class _Element(NamedTuple):
    python: str
    char: str  # where it may begin or end a range, else empty
    end: int  # where in the pattern the next one begins


def read_bracket(pattern: str, at: int) -> tuple[str, int]:
    """Translate the bracket expression that begins at ``at``, where the ``[`` is.

    Returns it as Python writes it, and where it ends. Raises ValueError where it cannot be read.
    """
    at += 1
    negated = pattern.startswith("^", at)
    at += negated
    pieces: list[str] = []
    while not pieces or not pattern.startswith("]", at):
        start = _element(pattern, at, hyphen=not pieces)
        at = start.end
        piece = start.python
        if pattern.startswith("-", at) and not pattern.startswith("]", at + 1):
            end = _element(pattern, at + 1, hyphen=True)
            if not start.char or not end.char or start.char > end.char:
                raise ValueError("no range")
            piece, at = f"{piece}-{end.python}", end.end
        pieces.append(piece)
    return f"[{'^' if negated else ''}{''.join(pieces)}]", at + 1


def _element(pattern: str, at: int, *, hyphen: bool) -> _Element:
    """Read one character or class; ``hyphen`` says whether a hyphen may stand here."""
    if at >= len(pattern):
        raise ValueError("no end of brackets")
    if pattern[at : at + 2] in ("[:", "[=", "[."):
        return _named(pattern, at)
    char = pattern[at]
    if char == "-" and not hyphen and not pattern.startswith("]", at + 1):
        raise ValueError("a hyphen in an undefined place")
    return _Element(_escaped(char), char, at + 1)


def _named(pattern: str, at: int) -> _Element:
    """Read a class ``[:alpha:]``, an equivalence ``[=a=]`` or a collating element ``[.-.]``."""
    kind = pattern[at + 1]
    end = pattern.find(kind + "]", at + 2)
    name = pattern[at + 2 : end] if end >= 0 else ""
    if kind == ":" and name in _CLASSES:
        return _Element(_CLASSES[name], "", end + 2)
    if kind == ":" or len(name) != 1:  # the C locale has no others
        raise ValueError("an unknown name between brackets")
    return _Element(_escaped(name), name if kind == "." else "", end + 2)


def _escaped(char: str) -> str:
    return f"\\x{ord(char):02x}"
