"""The size of the rows of a query."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from opensmtpd.backends.sqlite.row_sizes import ROW_COST, length, memory, up_to


@pytest.mark.parametrize(
    ("most", "count", "size"),
    [(0, 1, 3), (3, 2, 6), (8, 3, 9), (9, 4, 10), (100, 5, 13)],
)
def test_rows_are_read_up_to_the_one_that_is_too_much(most: int, count: int, size: int) -> None:
    sql = "VALUES ('one', 1), ('two', 2), (x'ff00ff', 3), (NULL, 4), ('six', NULL)"
    with closing(sqlite3.connect(":memory:")) as connection:
        rows, found = up_to(most, connection.execute(sql), length)
    assert (len(rows), found) == (count, size)
    assert rows[0] == ("one", 1)


@pytest.mark.parametrize(
    ("size_of", "cell", "size"),
    [
        (length, "\N{GRINNING FACE}", 1),
        (length, b"1234", 4),
        (length, 12345, 0),
        (memory, "", ROW_COST),
        (memory, "four", ROW_COST + 4),
    ],
)
def test_a_cell(size_of: Callable[[object], int], cell: object, size: int) -> None:
    assert size_of(cell) == size


def test_characters_that_are_no_ascii_take_more() -> None:
    assert memory("x" * 999 + "\N{GRINNING FACE}") > ROW_COST + 4 * 1000
