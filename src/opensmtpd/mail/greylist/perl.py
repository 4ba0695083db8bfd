"""Regular expressions of Perl, as they stand in postgrey's lists, written as POSIX has them.

Ours take as long as a text has bytes; Perl's may take for ever, and the names of clients are texts
of strangers. What has another meaning in POSIX, or none, is refused.
"""

import re
import string
from itertools import groupby

_TOKEN = re.compile(
    r"""
    (?P<group> \(\?: )
    | (?P<special> \(\? | \(\* )
    | (?P<bracket> \[ \^?+ \]?+ (?: \[:[a-z]+:\] | \\. | [^\]\\] )*+ \] )
    | (?P<lazy> (?: [*+?] | \{[0-9,]+\} ) [?+] )
    | (?P<escape> \\ . )
    | (?P<open> \[ )
    | (?P<plain> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"d": "[0-9]", "D": "[^0-9]", "A": "^", "z": "$", "Z": "$"}
_SAME = frozenset("wWsSbB")
_IN_BRACKETS = re.compile(r"\[:[a-z]+:\]|\\.|[^\\]", re.DOTALL)
_CLASSES = {
    r"\d": string.digits,
    r"\w": string.ascii_letters + string.digits + "_",
    r"\s": string.whitespace,
}


def extended(expression: str) -> str:
    """Return an expression in the syntax of ``table.matching``.

    Raises ValueError, with the reason, for one that POSIX cannot express.
    """
    return "".join(_written(match) for match in _TOKEN.finditer(expression))


def _written(match: re.Match[str]) -> str:
    found = match[0]
    match match.lastgroup:
        case "group":
            return "("
        case "special":
            raise ValueError(f"{found} has no meaning here")
        case "bracket":
            return _bracket(found)
        case "open":
            raise ValueError("a bracket without its end")
        case "lazy":  # which of several matches is found makes no difference
            if found[-1] == "+":
                raise ValueError(f"{found}, a repeat that gives nothing back")
            return found[:-1]
        case "escape":
            return _escape(found[1])
    return found


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char not in _SAME and char.isalnum():
        raise ValueError(f"\\{char} has no meaning here")
    if char in "<>'`":  # ends of words in POSIX, and themselves in Perl
        return char
    return f"\\{char}"


def _bracket(found: str) -> str:
    """Return a set of characters as POSIX writes it."""
    negated = found.startswith("[^")
    tokens = _IN_BRACKETS.findall(found[1 + negated : -1])
    chars: set[str] = set()
    names = ""
    while tokens:
        first = tokens.pop(0)
        if len(tokens) > 1 and tokens[0] == "-":
            chars.update(_range(first, tokens[1]))
            del tokens[:2]
        elif len(first) > 2:
            names += first
        else:
            chars.update(_CLASSES.get(first) or _single(first))
    return _set(chars, names, negated)


def _single(token: str) -> str:
    """Return the character of a token between brackets."""
    if len(token) > 1 and token[-1].isalnum():
        raise ValueError(f"{token} in brackets has no meaning here")
    return token[-1]


def _range(first: str, last: str) -> list[str]:
    """Return the characters of a range: POSIX has another one where case is ignored."""
    if max(len(first), len(last)) > 2 or first in _CLASSES or last in _CLASSES:
        raise ValueError(f"{first}-{last} is no range")
    start, end = _single(first), _single(last)
    if not start <= end <= "\x7f":
        raise ValueError(f"{first}-{last} is no range")
    return [chr(each) for each in range(ord(start), ord(end) + 1)]


def _set(chars: set[str], names: str, negated: bool) -> str:
    """Return a set. POSIX has no escapes in one: what a character means is told by its place."""
    body = "]" if "]" in chars else ""
    # Ranges are of letters or of digits alone: others depend on whether case is ignored.
    by_rows = groupby(
        enumerate(sorted(chars - set("]^-["))), lambda at: (ord(at[1]) - at[0], at[1].isalnum())
    )
    for (_, ordered), pairs in by_rows:
        row = "".join(char for _, char in pairs)
        body += f"{row[0]}-{row[-1]}" if ordered and len(row) > 2 and row.isascii() else row
    body += names + ("[" if "[" in chars else "")
    caret, dash = "^" * ("^" in chars), "-" * ("-" in chars)
    if body or negated:
        return f"[{'^' * negated}{body}{caret}{dash}]"
    return f"[{dash}{caret}]" if dash else r"\^"
