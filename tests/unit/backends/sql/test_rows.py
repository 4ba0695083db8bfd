"""From rows of SQLite to values for smtpd, and values that are taken in turn."""

import math
import time

import pytest

from opensmtpd.backends.sql.config import Queries
from opensmtpd.backends.sql.rows import Rotation, joined, text, value
from opensmtpd.errors import LocalError
from opensmtpd.table import Service

# --- a cell ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, ""),
        ("", ""),
        ("caf\xe9", "caf\xe9"),
        ("a\nb\0", "a\nb\0"),
        (b"", ""),
        (b"caf\xc3\xa9", "caf\xe9"),
        (b"\xff\x00a", "\udcff\0a"),
        (0, "0"),
        (-(2**63), "-9223372036854775808"),
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (1.5, "1.5"),
        (2.0, "2.0"),
        (1 / 3, "0.333333333333333"),
        (0.1 + 0.2, "0.3"),
        (123456789012345.0, "123456789012345.0"),
        (1e15, "1.0e+15"),
        (1e100, "1.0e+100"),
        (-2.5e-7, "-2.5e-07"),
        (math.inf, "Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_cell_is_shown_as_sqlite_shows_it(cell: object, shown: str) -> None:
    assert text(cell) == shown


# --- a row ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "row", "expected"),
    [
        (Service.STRING, ("bob",), "bob"),
        (Service.STRING, (b"\xff",), "\udcff"),
        (Service.STRING, (7, "more"), "7"),
        (Service.STRING, (None,), None),
        (Service.STRING, ("",), None),
        (Service.STRING, (0,), "0"),
        (Service.STRING, (" ",), " "),
        (Service.CREDENTIALS, ("alice", "hash"), "alice:hash"),
        (Service.CREDENTIALS, ("alice", "a:b", "more"), "alice:a:b"),
        (Service.CREDENTIALS, ("alice", None), None),
        (Service.CREDENTIALS, ("", "hash"), None),
        (Service.AUTH, ("alice", b"hash"), "alice:hash"),
        (Service.USERINFO, (1000, b"100", "/home/x"), "1000:100:/home/x"),
        (Service.USERINFO, ("007", 100, "/home/x"), "007:100:/home/x"),
        (Service.USERINFO, (1000, 100, ""), None),
        (Service.USERINFO, ("root", None, "/home/x"), None),
    ],
)
def test_a_row_is_one_value(
    service: Service, row: tuple[object, ...], expected: str | None
) -> None:
    assert value(service, row) == expected


@pytest.mark.parametrize(
    ("service", "row", "fault"),
    [
        (Service.STRING, (), "query_string gives 0 columns and should give 1"),
        (Service.CREDENTIALS, ("x",), "query_credentials gives 1 columns and should give 2"),
        (Service.AUTH, ("x",), "query_auth gives 1 columns and should give 2"),
        (Service.USERINFO, (1, 2), "query_userinfo gives 2 columns and should give 3"),
        (Service.USERINFO, ("root", 0, "/"), "a uid that is no number"),
        (Service.USERINFO, (-1, 0, "/"), "a uid that is no number"),
        (Service.USERINFO, (1.0, 0, "/"), "a uid that is no number"),
        (Service.USERINFO, (0, "\u0661", "/"), "a gid that is no number"),
        (Service.USERINFO, (0, " 1", "/"), "a gid that is no number"),
    ],
)
def test_a_row_that_is_none(service: Service, row: tuple[object, ...], fault: str) -> None:
    with pytest.raises(LocalError) as caught:
        value(service, row)
    assert str(caught.value) == fault


# --- values in turn -------------------------------------------------------------------------------


def test_each_value_comes_once_a_round_in_the_order_of_its_bytes() -> None:
    values = Rotation(["b", "\xe9", "a", "\udcff", "b", "", "\U0001f600", "B", "10", "9"])
    order = ["10", "9", "B", "a", "b", "\xe9", "\U0001f600", "\udcff"]
    assert [values.next() for _ in range(17)] == [*order, *order, "10"]


def test_without_values_there_is_no_next_one() -> None:
    values = Rotation(["", ""])
    assert [values.next() for _ in range(3)] == [None] * 3


def limits(refresh: int, expire: int) -> Queries:
    made = Queries("x.conf")
    made.refresh, made.expire = refresh, expire
    return made


@pytest.mark.parametrize(("calls", "spent"), [(0, False), (2, False), (3, True), (4, True)])
def test_values_are_spent_after_so_many_calls(calls: int, spent: bool) -> None:
    values = Rotation(["a", "b"])
    for _ in range(calls):
        values.next()
    assert values.spent(limits(3, 1000)) is spent


@pytest.mark.parametrize(("age", "spent"), [(0.0, False), (29.9, False), (30.0, True)])
def test_values_are_spent_after_so_many_seconds(
    age: float, spent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    values = Rotation(["a"])
    now[0] += age
    assert values.spent(limits(1000, 30)) is spent


@pytest.mark.parametrize(("refresh", "expire"), [(0, 1000), (1000, 0)])
def test_a_limit_of_zero_is_always_reached(refresh: int, expire: int) -> None:
    assert Rotation(["a"]).spent(limits(refresh, expire))


def test_a_list_of_all_rows() -> None:
    assert joined([("a",), (None,), (b"b", "more"), ("",)]) == "a, b"
    assert joined([]) is None
    assert joined([(None,), ("",)]) is None
