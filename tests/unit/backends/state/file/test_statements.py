"""The statements: each is one, so that no other process gets in between."""

import sqlite3

import pytest

from opensmtpd.backends.state.file import database, statements

NAMES = [name for name in vars(statements) if name.isupper() and not name.startswith("_")]


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_one_statement(name: str) -> None:
    statement = vars(statements)[name]
    assert sqlite3.complete_statement(statement + ";")
    assert ";" not in statement


def test_all_statements_find_their_rows_by_an_index() -> None:
    """No step looks at all rows."""
    with sqlite3.connect(":memory:") as db:
        db.execute(database.TABLE)
        db.execute(database.INDEX)
        for name in ("READ_COUNT", "READ_WHITE", "GET", "FORGET", "DROP_EXPIRED", "DROP_FIRST"):
            statement = vars(statements)[name]
            named = {"key": b"", "now": 0, "keep": 1, "enough": 1}
            values = [1] * statement.count("?") or named
            plan = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            tables = [row for row in plan if "steps" in row]
            assert tables
            assert all("PRIMARY KEY" in row or "INDEX by_expiry" in row for row in tables), plan
