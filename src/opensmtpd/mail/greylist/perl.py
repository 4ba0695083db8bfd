"""Regular expressions of Perl, as they stand in postgrey's lists, written as POSIX has them.

Ours take as long as a text has bytes; Perl's may take for ever, and the names of clients are texts
of strangers. What has another meaning in POSIX, or none, is refused.
"""

import re

_TOKEN = re.compile(
    r"""
    (?P<group> \(\?: )
    | (?P<special> \(\? | \(\* )
    | (?P<bracket> \[ \^? \]? (?: \\. | [^\]\\] )* \] )
    | (?P<lazy> (?: [*+?] | \{[0-9,]+\} ) [?+] )
    | (?P<escape> \\ . )
    | (?P<plain> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"d": "[0-9]", "D": "[^0-9]", "A": "^", "z": "$", "Z": "$"}
_SAME = frozenset("wWsSbB")
_IN_BRACKETS = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \t"}


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
    """Return a set, where POSIX has no escapes: a closing bracket comes first, a dash last."""
    inner = found[1:-1]
    negated = inner[:1] == "^"
    inner = inner[negated:]
    front = back = ""
    kept: list[str] = []
    for each in re.findall(r"\\.|[^\\]", inner, re.DOTALL):
        char = each[-1]
        if each[0] != "\\":
            kept.append(each)
        elif char in _IN_BRACKETS:
            kept.append(_IN_BRACKETS[char])
        elif char.isalnum():
            raise ValueError(f"{each} in brackets has no meaning here")
        elif char == "]":
            front = "]"
        elif char == "-":
            back = "-"
        elif char == "^":
            back = "^" + back
        else:
            kept.append(char)
    return f"[{'^' * negated}{front}{''.join(kept)}{back}]"
