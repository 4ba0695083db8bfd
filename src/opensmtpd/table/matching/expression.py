"""POSIX extended regular expressions (IEEE 1003.1 section 9.4), read into positions.

What is not POSIX gets no other meaning than smtpd's C library gives it: ``(?:`` and a repeat at the
beginning or after an anchor are refused; ``a*?`` is ``(a*)?``. Of GNU's additions
``\\w \\W \\s \\S \\b \\B \\< \\>`` are read as in glibc and musl, though OpenBSD knows the last two
alone. Other escapes of letters and digits are refused, because systems read them differently.
"""

import re

from opensmtpd.table.matching.brackets import ALL, LOWER, SPACE, UPPER, WORD, read_bracket, upper
from opensmtpd.table.matching.positions import NOTHING, Part, Positions, either

ANCHORS_MAX = 200
DEPTH_MAX = 20
"""Groups within groups: the reader calls itself for each."""
_COUNT_MAX = 32767  # glibc's RE_DUP_MAX

_INTERVAL = re.compile(r"([0-9]*)(,?)([0-9]*)\}")
_SETS = {"w": WORD, "W": ALL & ~WORD, "s": SPACE, "S": ALL & ~SPACE}
_REPEATS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_BREAK = "\0"


class Expression:
    """An expression as positions. Raises ValueError, with the reason, for one that is refused."""

    def __init__(self, text: str, *, caseless: bool = False) -> None:
        """Take the expression, a character for each byte; ``caseless`` is REG_ICASE."""
        self.positions = Positions()
        self._text, self._at, self._caseless = text, 0, caseless
        self._plain = ""  # the characters that stand for themselves outside of groups
        whole = self._alternatives(0)
        self.literal = max(self._plain.split(_BREAK), key=len)
        """A text that each match holds, in lower case; it may be empty."""
        whole = self.positions.then(whole, self.positions.new("end"))
        self.first = whole.first
        """The positions that may come first."""
        self.end = whole.last
        """The last position, which takes nothing: where it is reached, the expression matched."""
        if sum(isinstance(takes, str) for takes in self.positions.takes) > ANCHORS_MAX + 1:
            raise ValueError(f"with its repeats written out, over {ANCHORS_MAX} anchors")

    def _alternatives(self, depth: int) -> Part:
        part = self._branch(depth)
        alone = self._plain
        while self._peek() == "|":
            self._at += 1
            part = either(part, self._branch(depth))
            alone = ""
        if not depth:
            self._plain = alone
        return part

    def _branch(self, depth: int) -> Part:
        part = NOTHING
        # A closing bracket is special only where it has an opening one.
        while (char := self._peek()) not in ("", "|") and not (char == ")" and depth):
            self._at += 1
            part = self.positions.then(part, self._piece(char, depth))
        return part

    def _piece(self, char: str, depth: int) -> Part:
        """Read what begins with a character, which has been read, and its repeats."""
        start = len(self.positions.takes)
        part = self._atom(char, depth)
        takes = 0 if char == "(" else self.positions.takes[start]
        if isinstance(takes, str):
            return part  # an anchor
        repeated = False
        while self._peek() in ("*", "+", "?", "{"):
            part, repeated = self.positions.repeat(part, start, *self._repeat()), True
        if not depth:
            self._plain += _BREAK if repeated else _only(takes)
        return part

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _atom(self, char: str, depth: int) -> Part:
        if char == "(":
            if depth == DEPTH_MAX:
                raise ValueError(f"groups within groups, over {DEPTH_MAX} deep")
            part = self._alternatives(depth + 1)
            if self._peek() != ")":
                raise ValueError("a group without its end")
            self._at += 1
            return part
        if char in "*+?{":
            raise ValueError("nothing to repeat")
        if char == "[":
            found, self._at = read_bracket(self._text, self._at - 1, caseless=self._caseless)
            return self._set(found)
        if char == "\\":
            return self._escape()
        if char in "^$":
            return self.positions.new(char)
        return self._set(ALL) if char == "." else self._literal(char)

    def _escape(self) -> Part:
        char = self._peek()
        self._at += 1
        if char and char in "bB<>":
            return self.positions.new(char)
        if char in _SETS:
            return self._set(_SETS[char])
        if not char:
            raise ValueError("a backslash at the end")
        if char.isascii() and char.isdigit():
            raise ValueError("a back-reference")
        if (char.isascii() and char.isalpha()) or char in "`'":
            raise ValueError(f"\\{char}, which systems read differently")
        return self._literal(char)

    def _literal(self, char: str) -> Part:
        return self._set(1 << ord(upper(char) if self._caseless else char))

    def _set(self, takes: int) -> Part:
        if self._caseless:  # all bytes whose upper case is in the set
            takes = takes & ~LOWER | (takes & UPPER) << 32
        return self.positions.new(takes)

    def _repeat(self) -> tuple[int, int | None]:
        """Read a repeat; returns how often at least and at most, None for no limit."""
        char = self._peek()
        self._at += 1
        if char != "{":
            return _REPEATS[char]
        match = _INTERVAL.match(self._text, self._at)
        if match is None or not match[1] + match[2]:
            raise ValueError("a { that begins no interval")
        self._at = match.end()
        least = int(match[1] or 0)
        most = int(match[3]) if match[3] else None if match[2] else least
        if not least <= (least if most is None else most) <= _COUNT_MAX:
            raise ValueError("an interval that is none")
        return least, most


def _only(takes: int) -> str:
    """Return the one character of a set, in lower case; a break where it has others."""
    takes &= ~UPPER
    return chr(takes.bit_length() - 1) if takes and not takes & (takes - 1) else _BREAK
