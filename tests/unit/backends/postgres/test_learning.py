import pytest

from opensmtpd.backends.postgres.learning import PreparedStatement
from opensmtpd.backends.postgres.session import CommandOutcome, CommandResult
from opensmtpd.errors import ServerRefused

PREPARED = CommandResult([])


def learned(
    key: str, outcomes: list[CommandOutcome], columns: int = 1, constant: bool = False
) -> PreparedStatement:
    statement = PreparedStatement(key, "SELECT", 7, columns, constant, prepared=True)
    statement.learn(outcomes)
    return statement


@pytest.mark.parametrize(
    ("key", "parameters", "columns", "wanted", "constant", "fault"),
    [
        ("query_alias", 1, 1, 1, False, None),
        ("query_alias", 1, 5, 1, False, None),
        ("query_userinfo", 0, 3, 3, True, None),
        ("fetch_source", 0, 1, 1, False, None),
        (
            "query_alias", 0, 1, 1, False,
            ["query_alias: it never uses the key, so all keys have one answer", 7,
             "put $1 where the key belongs, or say 'constant_alias yes'"],
        ),
        (
            "query_alias", 2, 1, 1, False,
            ["query_alias: it has 2 parameters and should have 1", 7,
             "put $1 where the key belongs"],
        ),
        (
            "fetch_source", 1, 1, 1, True,
            ["fetch_source: it has 1 parameters and should have 0", 7, ""],
        ),
        (
            "query_credentials", 1, 1, 2, False,
            ["query_credentials: it gives 1 columns and should give 2", 7, ""],
        ),
    ],
)  # fmt: skip
def test_what_it_is_like(
    key: str, parameters: int, columns: int, wanted: int, constant: bool, fault: object
) -> None:
    described = CommandResult([], parameters, columns)
    statement = learned(key, [PREPARED, described], wanted, constant)
    assert statement.known
    assert statement.fault == fault


def test_one_that_the_server_does_not_take() -> None:
    statement = learned("query_alias", [ServerRefused("syntax error (SQLSTATE 42601)"), None])
    assert not statement.known
    assert statement.fault == ["query_alias: syntax error (SQLSTATE 42601)", 7, ""]
    statement.learn([PREPARED, CommandResult([], 1, 1)])
    assert statement.known
    assert statement.fault is None


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["Seq Scan on inserts", "  Filter: (key = 'Insert on a')"], None),
        (["Insert on a  (cost=0.00..0.01)", "  ->  Result"], "it may only SELECT"),
        (["CTE Scan on x", "  CTE x", "    ->  Update on a"], "it may only SELECT"),
        (["  ->  Delete on a  (cost"], "it may only SELECT"),
        (["Merge on a"], "it may only SELECT"),
        (ServerRefused("denied (SQLSTATE 42501)"), "denied (SQLSTATE 42501)"),
        (ServerRefused("syntax error (SQLSTATE 42601)"), None),
        (None, None),
    ],
)
def test_its_plan(lines: list[str] | ServerRefused | None, fault: str | None) -> None:
    statement = learned("query_alias", [PREPARED, CommandResult([], 1, 1)])
    outcome = CommandResult([[line] for line in lines]) if isinstance(lines, list) else lines
    found = statement.judged_plan(outcome)
    assert found == (None if fault is None else [f"query_alias: {fault}", 7, ""])
    assert statement.fault is None  # rights may be given later
