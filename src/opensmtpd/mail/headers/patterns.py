"""The patterns of rules: texts with stars, and regular expressions, matched in bounded time."""

import re

from opensmtpd.filter import Field
from opensmtpd.mail.headers.encoded import shown
from opensmtpd.table.matching.regex import compile_row

VALUE_MAX = 16 * 1024
"""Bytes of a value that are looked at; Postfix's ``header_size_limit`` is a bound of this kind."""
WORK_MAX = 6_000_000
"""Work for a message, by all rules together: about 0.3 seconds. See ``table.matching.regex``."""
VALUE_WORK = 40
"""Work to begin with a value."""
STATES_MAX = 1 << 20
"""Bytes of states that an expression remembers from one message to the next, about."""
_SPECIAL = frozenset(".[]\\*^$+?(){}|")
_STARS = {"*": ".*", "?": "[^\udc80-\udcbf][\udc80-\udcbf]*"}
"""A character has several bytes in UTF-8, the first of which is no other's."""
_FOREIGN = re.compile(r"[^\x00-\x7f]+")


class Matching:
    """The values of a message, and the work that is left for it."""

    def __init__(self) -> None:
        self.left = WORK_MAX
        """Below 0, nothing matches any more, and what has been found does not count."""
        self._of_fields: dict[Field, tuple[bytes, ...]] = {}
        self._of_values: dict[bytes, tuple[bytes, ...]] = {}

    def readings(self, field: Field) -> tuple[bytes, ...]:
        """Return the value of a field as it stands and, where that differs, as it is shown.

        Both are in lower case. A field may have megabytes, and is unfolded once, whatever the
        number of rules is.
        """
        found = self._of_fields.get(field)
        if found is None:
            found = self._of_fields[field] = self._read(field.value[:VALUE_MAX])
        return found

    def _read(self, value: bytes) -> tuple[bytes, ...]:
        found = self._of_values.get(value)
        if found is None:
            self.left -= len(value) * (4 if b"=?" in value else 1)
            both = (_lower(value), _lower(shown(value)))
            found = self._of_values[value] = tuple(dict.fromkeys(both))
        return found


class Pattern:
    """``/expression/`` matches anywhere in a value; another text, with ``*`` and ``?``, all of it.

    Case makes no difference. A value with encoded words is matched as it is shown, too.
    """

    def __init__(self, written: str) -> None:
        """Raises ValueError, with the reason, for a pattern that is refused."""
        folded = _FOREIGN.sub(lambda found: _lower_text(found[0]), _expression(written))
        row = compile_row(f"(?i){folded}")
        self._literal, self._automaton = row.literal, row.automaton

    def matches(self, field: Field, matching: Matching) -> bool:
        """Return whether the value of a field matches."""
        matching.left -= VALUE_WORK
        return any(self._finds(each, matching) for each in matching.readings(field))

    def _finds(self, value: bytes, matching: Matching) -> bool:
        matching.left -= len(value) // 16
        if matching.left < 0 or self._literal not in value:
            return False
        matching.left -= len(value)
        automaton = self._automaton
        steps = automaton.steps
        found = automaton.match(value, max(0, matching.left) // automaton.work)
        matching.left -= (automaton.steps - steps) * automaton.work
        if found is None:
            matching.left = -1
        if automaton.states * automaton.state_size > STATES_MAX:
            automaton.forget()
        return bool(found)


class NamePattern:
    """Matches the names of fields; a star is any text. Case makes no difference."""

    def __init__(self, written: str) -> None:
        """Raises ValueError for what is no name."""
        if not re.fullmatch(r"[!-9;-~]+", written):
            raise ValueError(f"{written!r} is no name of a field")
        self._first, *self._others = written.lower().encode("ascii").split(b"*")

    def matches(self, name: bytes) -> bool:
        """Return whether a name matches, in a time that no name makes long."""
        name = name.lower()
        if not self._others:
            return name == self._first
        if not name.startswith(self._first):
            return False
        *within, last = self._others
        at = len(self._first)
        for each in within:  # the first place is as good as any
            at = name.find(each, at)
            if at < 0:
                return False
            at += len(each)
        return name.endswith(last) and at + len(last) <= len(name)


def _lower(value: bytes) -> bytes:
    """Return a value in lower case, with the letters of all scripts where it is UTF-8."""
    if value.isascii():
        return value.lower()
    text = _lower_text(value.decode("utf-8", "surrogateescape"))
    return text.encode("utf-8", "surrogateescape")


def _lower_text(text: str) -> str:
    """Return a text in lower case, the same for a part of it as for all of it.

    Python writes the Greek sigma in another form at the end of a word.
    """
    return text.lower().replace(
        "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"
    )


def _expression(written: str) -> str:
    """Return a pattern as an expression. Raises ValueError."""
    if not written.startswith("/"):
        return f"^{''.join(_STARS.get(each) or _escaped(each) for each in written)}$"
    inner = written[1:-1]
    if not inner or not written.endswith("/"):
        fault = "begins as an expression, and is none"
        raise ValueError(f"{written!r} {fault}: write /EXPRESSION/, without letters behind it")
    return inner


def _escaped(char: str) -> str:
    """Return an expression for one character."""
    return f"\\{char}" if char in _SPECIAL else char
