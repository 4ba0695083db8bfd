"""Questions to servers of SQL, and rows as values."""

import pytest

from opensmtpd.backends.sql.backend import SqlBackend
from opensmtpd.backends.sql.config import Queries
from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.table import Service


@pytest.fixture
def backend() -> SqlBackend:
    backend = SqlBackend()
    backend.path = "/x.conf"
    backend.queries = Queries("/x.conf")
    for key in ("query_alias", "query_userinfo", "fetch_source", "patterns_domain"):
        backend.queries.set(key, "SELECT 1", 1)
    return backend


def test_questions(backend: SqlBackend) -> None:
    assert backend.question(Service.ALIAS, "bob") == ["query_alias", "bob"]
    assert backend.fetch_question(Service.SOURCE) == ["fetch_source"]
    assert backend.patterns_question(Service.DOMAIN) == ["patterns_domain"]
    assert backend.patterns_question(Service.NETADDR) is None
    with pytest.raises(ConfigError, match=r"^/x\.conf: no query_domain$"):
        backend.question(Service.DOMAIN, "x")
    with pytest.raises(ConfigError, match=r"^/x\.conf: no fetch_relayhost$"):
        backend.fetch_question(Service.RELAYHOST)


@pytest.mark.parametrize(
    ("service", "rows", "value"),
    [
        (Service.DOMAIN, [], None),
        (Service.DOMAIN, [["a"], ["b"]], "a"),
        (Service.DOMAIN, [[None]], None),
        (Service.DOMAIN, [[""], ["b"]], None),
        (Service.ALIAS, [], None),
        (Service.ALIAS, [["a"], [None], ["b", "more"], [""]], "a, b"),
        (Service.ALIAS, [[None]], None),
        (Service.MAILADDRMAP, [["a"], ["b"]], "a, b"),
        (Service.CREDENTIALS, [["bob", "hash"]], "bob:hash"),
        (Service.CREDENTIALS, [["bob", None]], None),
        (Service.USERINFO, [["1000", "100", "/home"]], "1000:100:/home"),
    ],
)
def test_values(
    backend: SqlBackend, service: Service, rows: list[list[str | None]], value: str | None
) -> None:
    assert backend.value(service, rows) == value
    assert backend.found(service, rows) is bool(rows)


def test_a_row_that_is_no_user(backend: SqlBackend) -> None:
    with pytest.raises(LocalError, match="a uid that is no number"):
        backend.value(Service.USERINFO, [["root", "0", "/"]])


def test_lists(backend: SqlBackend) -> None:
    assert backend.fetched(Service.SOURCE, [["b"], [None], ["a", "x"]]) == ["b", "", "a"]
