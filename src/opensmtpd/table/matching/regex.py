"""POSIX extended regular expressions: ``table_regex_match`` in smtpd's table.c.

smtpd lower-cases the keys it asks for, and the rows of file tables, too. Where a row has capitals
(in a database), or ``(?i)`` in front as in smtpd, case does not matter (REG_ICASE). An expression
that is empty as a whole matches nothing: an empty cell in a database must not match everything.

Rows are compiled when they are added, and only then. What could make that or a match long is
refused (``expression``), and a match takes as long as its key has bytes (``automaton``): the C
library has the same meaning and no such limits. What all rows together may take is bounded here.
"""

from typing import NamedTuple

from opensmtpd.errors import LocalError
from opensmtpd.table.matching.automaton import Automaton
from opensmtpd.table.matching.expression import Expression
from opensmtpd.table.matching.text import as_bytes, folded

ROW_MAX = 512
"""Bytes of a row."""
MEMORY_MAX = 256 * 1024 * 1024
"""Bytes that all rows may take, about: some 30,000 of usual length."""
WORK_MAX = 600_000
"""Work of a lookup, in all rows together: about 30 ms. A byte of a key is 1 where it takes no new
step (see ``automaton``)."""
STATES_MAX = 32 * 1024 * 1024
"""Bytes of states that are remembered between lookups, in all rows together, about."""
_FULL = "the rows before it take all the memory that a table has for them"
_CASELESS = "(?i)"
_USUAL = b"abcdefghijklmnopqrstuvwxyz0123456789._+-@"
"""The bytes of most keys: a row that has to look at all keys makes these steps in advance."""


class Compiled(NamedTuple):
    """A row, compiled."""

    text: str
    """As it was written."""
    literal: bytes
    """A text that stands in each key that matches, which is in lower case; it may be empty."""
    automaton: Automaton


def compile_row(row: str) -> Compiled:
    """Return a row, compiled. Raises ValueError, with the reason, for one that is refused."""
    text = as_bytes(row)
    if len(text) > ROW_MAX:
        raise ValueError(f"over {ROW_MAX} bytes")
    if not text:
        raise ValueError("an empty expression")
    if "\0" in text:
        raise ValueError("a NUL byte")
    caseless = folded(row) != text
    if folded(text[:4]) == _CASELESS:
        caseless, text = True, text[4:]
    expression = Expression(text, caseless=caseless)
    return Compiled(row, expression.literal.encode("latin-1"), Automaton(expression))


class Regexes:
    """The rows, tried one by one in their order. Not for several threads at once."""

    def __init__(self) -> None:
        self._rows: list[Compiled] = []
        self._memory = 0
        self._compiled = 0  # the memory of the rows that were refused included
        self._states = 0

    def add(self, row: str) -> None:
        """Add a row. Raises ValueError, with the reason, for one that is refused."""
        if self._compiled > 2 * MEMORY_MAX:  # to compile what is refused takes time, too
            raise ValueError(_FULL)
        compiled = compile_row(row)
        self._compiled += compiled.automaton.size
        if self._memory + compiled.automaton.size > MEMORY_MAX:
            raise ValueError(_FULL)
        self._memory += compiled.automaton.size
        if compiled.literal in _USUAL:
            compiled.automaton.match(_USUAL, len(_USUAL))
        self._rows.append(compiled)

    def find(self, key: str) -> str | None:
        """Return the first row that matches anywhere in a key, which is in lower case.

        Raises LocalError where the key takes too much work.
        """
        raw = key.encode("latin-1")
        if self._states > STATES_MAX:
            self._forget()
        left = WORK_MAX
        for row, literal, automaton in self._rows:
            if literal not in raw:
                left -= 10
                continue
            steps, states = automaton.steps, automaton.states
            found = automaton.match(raw, max(0, left) // automaton.work)
            left -= len(raw) + (automaton.steps - steps) * automaton.work
            self._states += (automaton.states - states) * automaton.state_size
            if found:
                return row
            if found is None or left < 0:
                fault = f"a key of {len(raw)} bytes that takes too long to match with all rows"
                raise LocalError(fault)
        return None

    def _forget(self) -> None:
        for row in self._rows:
            row.automaton.forget()
        self._states = 0
