"""The keys with SQL."""

import pytest

from opensmtpd.backends.sql.config import COLUMNS, KEYED, Queries
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service


@pytest.fixture
def queries() -> Queries:
    return Queries("/etc/mail/x.conf")


def test_statements(queries: Queries) -> None:
    assert queries.set("query_alias", "SELECT 1", 3)
    assert queries.set("fetch_source", "SELECT 2", 4)
    assert queries.set("fetch_source", "SELECT 3", 5)
    assert queries.set("patterns_domain", "SELECT 4", 6)
    assert [(each.key, each.sql, each.line) for each in queries.statements.values()] == [
        ("query_alias", "SELECT 1", 3),
        ("fetch_source", "SELECT 3", 5),
        ("patterns_domain", "SELECT 4", 6),
    ]
    assert queries.statement("query_alias").line == 3
    with pytest.raises(ConfigError) as caught:
        queries.statement("query_domain")
    assert str(caught.value) == "/etc/mail/x.conf: no query_domain"


def test_of_two_queries_the_first_counts(queries: Queries, logged: list[str]) -> None:
    queries.set("query_alias", "SELECT 1", 3)
    assert queries.set("query_alias", "SELECT 2", 4)
    assert queries.statements["query_alias"].sql == "SELECT 1"
    reason = '"it stands in line 3, too"'
    assert logged == [f"key-ignored key=query_alias at=/etc/mail/x.conf:4 reason={reason}"]


def test_options(queries: Queries) -> None:
    assert (queries.expire, queries.refresh, queries.constant) == (60, 1000, set())
    assert queries.set("fetch_source_expire", "30", 1)
    assert queries.set("fetch_source_refresh", "20", 2)
    assert queries.set("constant_domain", "yes", 3)
    assert queries.set("constant_alias", "yes", 4)
    assert queries.set("constant_alias", "no", 5)
    assert (queries.expire, queries.refresh, queries.constant) == (30, 20, {"domain"})


@pytest.mark.parametrize("key", ["host", "query_", "query_killer", "constant_userinfo", "fetch_x"])
def test_keys_of_others(queries: Queries, key: str) -> None:
    assert not queries.set(key, "x", 1)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("fetch_source_expire", "-1", ValueError),
        ("fetch_source_refresh", "x", ValueError),
        ("constant_domain", "true", ValueError),
        ("query_alias", "SELECT '\udcff'", ConfigError),
    ],
)
def test_values_that_cannot_be_used(
    queries: Queries, key: str, value: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        queries.set(key, value, 1)


def test_the_services(queries: Queries) -> None:
    assert queries.services == frozenset(Service) - {Service.AUTH}
    queries.set("query_auth", "SELECT 1, 2", 1)
    assert queries.services == frozenset(Service)


def test_there_must_be_a_statement(queries: Queries) -> None:
    with pytest.raises(ConfigError) as caught:
        queries.must_be_some("SELECT x FROM y WHERE z = $1")
    assert str(caught.value) == (
        "/etc/mail/x.conf: no query; say what to look up, for example"
        " 'query_alias SELECT x FROM y WHERE z = $1'"
    )
    queries.set("fetch_source", "SELECT 1", 1)
    queries.must_be_some("x")


def test_what_each_gives() -> None:
    assert {f"query_{service}" for service in Service} < set(COLUMNS)
    assert [key for key, count in COLUMNS.items() if count > 1] == [
        "query_credentials",
        "query_userinfo",
        "query_auth",
    ]
    assert set(KEYED.values()) == {
        *("alias", "domain", "credentials", "netaddr", "mailaddr"),
        *("mailaddrmap", "string", "regex", "auth"),
    }
