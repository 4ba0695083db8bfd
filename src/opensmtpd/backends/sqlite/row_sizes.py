"""The size of the rows of a query: what is read of them is bounded."""

import sqlite3
import sys
from collections.abc import Callable

Row = tuple[object, ...]

ROW_COST = 64
"""Bytes that a row takes in memory besides its text."""
_TEXT = (str, bytes)
_NOTHING = sys.getsizeof("")


def up_to(
    most: int, cursor: sqlite3.Cursor, size_of: Callable[[object], int]
) -> tuple[list[Row], int]:
    """Return rows until ``size_of`` their cells is more than ``most``, and the size.

    A row counts as 1 at least.
    """
    rows: list[Row] = []
    size = 0
    for row in cursor:
        rows.append(row)
        size += max(1, sum(map(size_of, row)))
        if size > most:
            break
    cursor.close()
    return rows, size


def value_rows(most: int, cursor: sqlite3.Cursor) -> list[Row]:
    """Return rows until their cells have more than ``most`` characters, which are bytes or more.

    This is ``up_to`` for each lookup, without a call for each cell.
    """
    rows: list[Row] = []
    size = 0
    for row in cursor:
        rows.append(row)
        before = size
        for cell in row:
            if isinstance(cell, _TEXT):
                size += len(cell)
        if size == before:
            size += 1
        if size > most:
            break
    cursor.close()
    return rows


def memory(cell: object) -> int:
    """Return what a row of one cell takes: where one character is no ASCII, all take 2 or 4."""
    return ROW_COST + sys.getsizeof(cell) - _NOTHING
