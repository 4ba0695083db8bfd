from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from opensmtpd.backends.postgres.connection import PostgresConnection
from opensmtpd.backends.postgres.learning import PreparedStatement
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.postgres_server import Rows, folder_conninfo, place, refusal, serves
from unit.support.scripted_server import Talk, says, scripted

ALIAS = ["query_alias", "SELECT d FROM a WHERE n = $1", 3, 1, False]
DOMAIN = ["query_domain", "SELECT d FROM d WHERE n = $1", 4, 1, False]
LIST = ["fetch_source", "SELECT d FROM s", 5, 1, True]
MISSING = refusal(b"42P01", b'relation "d" does not exist')
PLAN = "EXPLAIN "


def until(seconds: float = 10.0) -> float:
    return monotonic() + seconds


def answer(name: str, key: str) -> Rows | bytes:
    if key == "bad":
        return refusal(b"22021", b"invalid byte sequence")
    if name == "fetch_source":
        return [[b"one"], [b"two"]]
    return [[key[::-1].encode("utf-8", "surrogateescape")]] if key and key != "none" else []


@contextmanager
def connected(
    folder: Path, talk: Talk, *statements: list[object], prepare: bool = True
) -> Iterator[PostgresConnection]:
    data: dict[str, Any] = {
        "options": folder_conninfo(folder),
        "prepare": prepare,
        "statements": list(statements),
    }
    with scripted(place(folder), talk):
        connection = PostgresConnection(data)
        try:
            connection.connect(until())
            yield connection
        finally:
            connection.close()


def test_questions(tmp_path: Path) -> None:
    parameters = {"fetch_source": 0}
    with connected(tmp_path, serves(answer, parameters=parameters), ALIAS, LIST) as connection:
        assert connection.ask([["query_alias", "abc"]], until()) == [[["cba"]]]
        assert connection.ask([["query_alias", "none"]], until()) == [[]]
        assert connection.ask([["fetch_source"]], until()) == [[["one"], ["two"]]]


def test_many_questions(tmp_path: Path) -> None:
    """Each reply is that of its question, also behind a list, whose rows come one by one."""
    parameters = {"fetch_source": 0}
    keys = [f"key{number}" if number % 3 else "none" for number in range(259)]
    with connected(tmp_path, serves(answer, parameters=parameters), ALIAS, LIST) as connection:
        connection.ask([["fetch_source"]], until())
        replies = connection.ask([["query_alias", key] for key in keys], until())
        assert replies == [[] if key == "none" else [[key[::-1]]] for key in keys]
        assert connection.ask([["query_alias", "next"]], until()) == [[["txen"]]]


def test_one_of_many_is_refused(tmp_path: Path) -> None:
    with connected(tmp_path, serves(answer), ALIAS) as connection:
        with pytest.raises(ServerRefused, match="invalid byte sequence"):
            connection.ask([["query_alias", key] for key in ("a", "bad", "c")], until())
        assert connection.ask([["query_alias", "abc"]], until()) == [[["cba"]]]
        assert connection.ask([["query_alias", "xy"]] * 2, until()) == [[["yx"]]] * 2


@pytest.mark.parametrize("state", [b"0A000", b"26000"])
def test_a_statement_that_is_to_be_prepared_again(tmp_path: Path, state: bytes) -> None:
    """The connection is made anew, but not for a question that has just done so."""
    stale = refusal(state, b"cached plan must not change result type")
    with connected(tmp_path, serves(lambda name, key: stale if name else []), ALIAS) as connection:
        with pytest.raises(ServerRefused, match="cached plan"):
            connection.ask([["query_alias", "k"]], until())
        for questions in ([["query_alias", "k"]], [["query_alias", "k"]] * 2):
            with pytest.raises(ServerLost, match="cached plan"):
                connection.ask(questions, until())


def test_a_check_takes_no_statement_for_fresh(tmp_path: Path) -> None:
    """The first question may come hours later."""
    stale = refusal(b"0A000", b"cached plan must not change result type")
    with connected(tmp_path, serves(lambda name, key: stale if name else []), ALIAS) as connection:
        connection.check(until())
        with pytest.raises(ServerLost, match="cached plan"):
            connection.ask([["query_alias", "k"]], until())


def test_names_of_statements_are_of_one_connection(tmp_path: Path) -> None:
    """Behind a pooler, the session may have a statement of another table's."""
    names = [
        PreparedStatement("query_alias", "SELECT $1", 3, 1, False, prepared=prepared)._name
        for prepared in (True, True, False)
    ]
    assert names[0].startswith(b"query_alias_")
    assert names[0] != names[1]
    assert names[2] == b""


def test_a_nul_in_a_key(tmp_path: Path) -> None:
    """libpq ends a value there, and would find the row of another key."""
    with connected(tmp_path, serves(answer), ALIAS) as connection:
        with pytest.raises(ServerRefused, match="a NUL in the key"):
            connection.ask([["query_alias", "abc\0def"]], until())
        assert connection.ask([["query_alias", "abc"]], until()) == [[["cba"]]]


def test_it_promises_to_write_nothing(tmp_path: Path) -> None:
    asked: list[str] = []
    with connected(tmp_path, serves(answer, asked=asked), ALIAS):
        pass
    assert asked == [
        "SELECT set_config('default_transaction_read_only', 'on', false),"
        " set_config('statement_timeout', '5s', false)",
        "SELECT d FROM a WHERE n = $1",
    ]


def test_without_prepared_statements_no_session_is_changed(tmp_path: Path) -> None:
    """It may be somebody else's with the next statement."""
    asked: list[str] = []
    talk = serves(lambda name, key: [[name.encode() + b"!" + key.encode()]], asked=asked)
    with connected(tmp_path, talk, ALIAS, prepare=False) as connection:
        assert connection.ask([["query_alias", "k"]], until()) == [[["!k"]]]
    assert asked == ["SELECT d FROM a WHERE n = $1"] * 2


def test_a_server_that_lets_us_write(tmp_path: Path) -> None:
    faults = {"": refusal(b"42501", b"permission denied to set parameter")}
    failed = pytest.raises(ServerLost, match="does not promise to write nothing: permission denied")
    with failed, connected(tmp_path, serves(answer, faults), ALIAS):
        pass


def test_a_statement_that_cannot_be_prepared(tmp_path: Path) -> None:
    """The others can, and it is prepared again when it is asked for."""
    faults = {"query_domain": MISSING}
    with connected(tmp_path, serves(answer, faults), ALIAS, DOMAIN) as connection:
        assert connection.check(until()) == [
            ['query_domain: relation "d" does not exist (SQLSTATE 42P01)', 4, ""]
        ]
        with pytest.raises(ServerRefused, match=r"query_domain: relation"):
            connection.ask([["query_domain", "abc"]], until())
        assert connection.ask([["query_alias", "abc"]], until()) == [[["cba"]]]
        del faults["query_domain"]
        assert connection.ask([["query_domain", "abc"]], until()) == [[["cba"]]]
        assert connection.check(until()) == []


def test_the_check_asks_for_plans(tmp_path: Path) -> None:
    asked: list[str] = []
    denied = refusal(b"42501", b"permission denied for table a")

    def plans(name: str, _key: str) -> Rows | bytes:
        return denied if asked[-1].startswith(PLAN) and name == "" else [[b"v"]]

    with connected(tmp_path, serves(plans, asked=asked), ALIAS) as connection:
        assert connection.check(until()) == [
            ["query_alias: permission denied for table a (SQLSTATE 42501)", 3, ""]
        ]
        assert connection.ask([["query_alias", "k"]], until()) == [[["v"]]]  # rights may be given
    assert asked[-1] == "EXPLAIN SELECT d FROM a WHERE n = $1"


def test_several_servers(tmp_path: Path) -> None:
    """The first that lets us in; none may take all of the time."""
    silent, good = tmp_path / "silent", tmp_path / "good"
    silent.mkdir()
    good.mkdir()
    options = {**folder_conninfo(good), "host": f"{tmp_path},{silent},{good}"}
    data = {"options": options, "prepare": True, "statements": [ALIAS]}
    with scripted(place(silent), says(b"")), scripted(place(good), serves(answer)):
        connection = PostgresConnection(data)
        begin = monotonic()
        connection.connect(begin + 3.0)
        assert connection.ask([["query_alias", "abc"]], until()) == [[["cba"]]]
        assert monotonic() - begin >= 1.2
        connection.close()


def test_no_server(tmp_path: Path) -> None:
    data = {"options": folder_conninfo(tmp_path), "prepare": True, "statements": [ALIAS]}
    connection = PostgresConnection(data)
    with pytest.raises(ServerLost, match="No such file"):
        connection.connect(until())
    with scripted(place(tmp_path), says(b"")), pytest.raises(ServerLate):
        connection.connect(until(0.2))
    connection.close()
    connection.close()


def test_it_may_be_connected_again(tmp_path: Path) -> None:
    data = {"options": folder_conninfo(tmp_path), "prepare": True, "statements": [ALIAS]}
    connection = PostgresConnection(data)
    with scripted(place(tmp_path), serves(answer), serves(answer)):
        for _ in range(2):
            connection.connect(until())
            assert connection.ask([["query_alias", "abc"]], until()) == [[["cba"]]]
            connection.close()


def test_a_service_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    (tmp_path / "services").write_text("[mail]\nhost=of-the-service\n")
    options = {"service": "other", "user": "mail", "hostaddr": "127.0.0.1"}
    data = {"options": options, "prepare": True, "statements": [ALIAS]}
    with pytest.raises(ServerLost, match='definition of service "other" not found'):
        PostgresConnection(data).connect(until())


def test_an_option_that_libpq_does_not_know(tmp_path: Path) -> None:
    options = {**folder_conninfo(tmp_path), "pasword": "s3cret"}
    data = {"options": options, "prepare": True, "statements": [ALIAS]}
    with pytest.raises(ServerLost, match='invalid connection option "pasword"') as error:
        PostgresConnection(data).connect(until())
    assert "s3cret" not in str(error.value)
