"""The size of the rows of a query."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.sqlite.row_sizes import ROW_COST, memory, up_to, value_rows

CELLS = st.one_of(
    st.none(), st.integers(-9, 9), st.floats(0, 1), st.text("ab", max_size=5), st.binary(max_size=5)
)


def length(cell: object) -> int:
    return len(cell) if isinstance(cell, str | bytes) else 0


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
    ("cell", "size"),
    [("", ROW_COST), ("four", ROW_COST + 4)],
)
def test_a_cell(cell: object, size: int) -> None:
    assert memory(cell) == size


def test_rows_of_a_value_count_characters_and_at_least_one_each() -> None:
    sql = "VALUES ('\N{GRINNING FACE}'), (x'31323334'), (12345), ('x')"
    with closing(sqlite3.connect(":memory:")) as connection:
        assert [len(value_rows(most, connection.execute(sql))) for most in (0, 1, 5, 6, 9)] == [
            *(1, 2, 3, 4, 4)
        ]


@given(st.integers(0, 30), st.lists(st.tuples(CELLS, CELLS), max_size=12))
def test_rows_of_a_value_are_those_of_the_plain_way(
    most: int, rows: list[tuple[object, object]]
) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE rows (one, two)")
        connection.executemany("INSERT INTO rows VALUES (?, ?)", rows)
        sql = "SELECT * FROM rows ORDER BY rowid"
        expected, _ = up_to(most, connection.execute(sql), length)
        assert value_rows(most, connection.execute(sql)) == expected


def test_characters_that_are_no_ascii_take_more() -> None:
    assert memory("x" * 999 + "\N{GRINNING FACE}") > ROW_COST + 4 * 1000
