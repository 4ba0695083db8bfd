"""Bracket expressions of POSIX regular expressions (IEEE 1003.1 section 9.3.5), as sets of bytes.

In them a backslash is a character like any other, and so is a ``]`` at the beginning. Texts have a
character for each byte. A set is an int: bit 65 stands for ``A``. What POSIX leaves undefined is
read as glibc reads it in the C locale, or not at all.
"""

from typing import NamedTuple


def members(chars: str) -> int:
    """Return the set of these characters."""
    return sum(1 << ord(char) for char in set(chars))


ALL = (1 << 256) - 1
SPACE = members("\t\n\v\f\r ")
LOWER = members("abcdefghijklmnopqrstuvwxyz")
UPPER = members("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGIT = members("0123456789")
ALNUM = UPPER | LOWER | _DIGIT
WORD = ALNUM | members("_")
_PUNCT = members("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_CLASSES = {
    "alpha": UPPER | LOWER,
    "digit": _DIGIT,
    "alnum": ALNUM,
    "upper": UPPER,
    "lower": LOWER,
    "space": SPACE,
    "blank": members("\t "),
    "punct": _PUNCT,
    "print": ALNUM | _PUNCT | members(" "),
    "graph": ALNUM | _PUNCT,
    "cntrl": (1 << 32) - 1 | 1 << 127,
    "xdigit": _DIGIT | members("ABCDEFabcdef"),
}
"""The classes of characters in the C locale, by their names."""


class _Element(NamedTuple):
    set: int
    char: str  # where it may begin or end a range, else empty
    end: int  # where in the pattern the next one begins


def upper(char: str) -> str:
    """Return a character in upper case, if it is a letter of ASCII."""
    return char.upper() if char.isascii() else char


def read_bracket(pattern: str, at: int, *, caseless: bool = False) -> tuple[int, int]:
    """Read the bracket expression that begins at ``at``, where the ``[`` is.

    Returns the set, and where the expression ends. With ``caseless`` letters are read as upper
    case, as glibc does with REG_ICASE, so that ``[A-z]`` is ``[A-Z]``. Raises ValueError, with the
    reason, for one that cannot be read.
    """
    at += 1
    negated = pattern.startswith("^", at)
    at += negated
    found, begin = 0, at
    while at == begin or not pattern.startswith("]", at):
        start = _element(pattern, at, caseless, hyphen=at == begin)
        at = start.end
        found |= start.set
        if pattern.startswith("-", at) and not pattern.startswith("]", at + 1):
            end = _element(pattern, at + 1, caseless, hyphen=True)
            if not start.char or not end.char or start.char > end.char:
                raise ValueError("a range between brackets that is none")
            first, last = ord(start.char), ord(end.char)
            found |= (2 << last) - (1 << first)
            at = end.end
    return ALL & ~found if negated else found, at + 1


def _element(pattern: str, at: int, caseless: bool, *, hyphen: bool) -> _Element:
    """Read one character or class; ``hyphen`` says whether a hyphen may stand here."""
    if at >= len(pattern):
        raise ValueError("a bracket without its end")
    if pattern[at : at + 2] in ("[:", "[=", "[."):
        return _named(pattern, at, caseless)
    char = pattern[at]
    if char == "-" and not hyphen and not pattern.startswith("]", at + 1):
        raise ValueError("a hyphen between brackets in a place that has no meaning")
    char = upper(char) if caseless else char
    return _Element(1 << ord(char), char, at + 1)


def _named(pattern: str, at: int, caseless: bool) -> _Element:
    """Read a class ``[:alpha:]``, an equivalence ``[=a=]`` or a collating element ``[.-.]``."""
    kind = pattern[at + 1]
    end = pattern.find(kind + "]", at + 2)
    name = pattern[at + 2 : end] if end >= 0 else ""
    if kind == ":" and name in _CLASSES:
        name = "upper" if caseless and name == "lower" else name
        return _Element(_CLASSES[name], "", end + 2)
    if kind == ":" or len(name) != 1:  # the C locale has no others
        raise ValueError("an unknown name between brackets")
    char = upper(name) if caseless else name
    return _Element(1 << ord(char), char if kind == "." else "", end + 2)
