"""Tell that a statement gives the same rows for the same database, at any time.

SQLite tells its authorizer all that a statement uses while it prepares it, views looked through:
https://www.sqlite.org/c3ref/set_authorizer.html.
"""

import sqlite3
from collections.abc import Callable

from opensmtpd.backends.sqlite.statements import Arguments

FUNCTIONS = frozenset(
    [
        *("coalesce", "ifnull", "iif", "nullif", "typeof", "quote", "format", "printf"),
        *("lower", "upper", "trim", "ltrim", "rtrim", "replace", "substr", "substring", "instr"),
        *("length", "char", "unicode", "hex", "unhex", "concat", "concat_ws", "like", "glob"),
        *("count", "min", "max", "sum", "total", "avg", "group_concat", "string_agg"),
        *("abs", "sign", "round", "ceil", "ceiling", "floor", "trunc"),
        *("json_extract", "->", "->>"),
    ]
)
"""Functions whose results depend on their arguments alone. SQLite's own mark does not tell those
of date and time, which take 'now'."""
TABLES_MAX = 32
"""Tables and views of a statement: over that, it does not count as steady."""

_IS_PLAIN = (
    "SELECT 1 FROM sqlite_master WHERE name = ?"
    " AND (type = 'view' OR type = 'table' AND rootpage > 0)"
)
"""A virtual table has no page of its own, and those that SQLite has built in are not listed."""


class Uses:
    """Notes what is used by the statements that are being prepared."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.functions: set[str] = set()
        self.selects = False

    def note(self, action: int, one: str | None, two: str | None) -> None:
        """Take what the authorizer is told."""
        if action == sqlite3.SQLITE_READ:
            self.tables.add(one or "")
        elif action == sqlite3.SQLITE_FUNCTION:
            self.functions.add(two or "")
        elif action == sqlite3.SQLITE_SELECT:
            self.selects = True

    def take(self) -> tuple[set[str], set[str], bool]:
        """Return the tables and functions that were noted, and whether anything was; forget it."""
        noted = self.tables, self.functions, self.selects
        self.tables, self.functions, self.selects = set(), set(), False
        return noted


def is_steady(
    sql: str,
    arguments: Arguments,
    uses: Uses,
    execute: Callable[[str, Arguments], sqlite3.Cursor],
) -> bool:
    """Return whether all that a statement uses is plain tables and FUNCTIONS. Raises FAULTS.

    ``uses`` is what the authorizer of the connection tells, to which ``execute`` goes.
    """
    uses.take()
    # In words that nobody else puts in front: the program of a known text is not prepared again.
    execute(f"EXPLAIN QUERY PLAN {sql}", arguments).close()
    tables, functions, selects = uses.take()
    return (
        selects
        and {name.lower() for name in functions} <= FUNCTIONS
        and len(tables) <= TABLES_MAX
        and all(execute(_IS_PLAIN, (name,)).fetchone() for name in tables)
    )
