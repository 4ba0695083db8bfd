import pytest

from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.redis.backend import RedisBackend
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.query import Query
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service


def backend(**queries: str) -> RedisBackend:
    made = {name: Query(text, 7) for name, text in queries.items()}
    return RedisBackend("/etc/x.conf", 1, Settings(), [RedisPlace("h")], made, ("/ca",))


def test_questions() -> None:
    made = backend(query_alias="GET %s", fetch_source="SMEMBERS s", patterns_domain="SMEMBERS p")
    assert made.question(Service.ALIAS, "root") == ["query_alias", "root"]
    assert made.fetch_question(Service.SOURCE) == ["fetch_source"]
    assert made.patterns_question(Service.DOMAIN) == ["patterns_domain"]
    assert made.patterns_question(Service.NETADDR) is None


def test_questions_without_a_query() -> None:
    made = backend(query_alias="GET %s")
    with pytest.raises(ConfigError, match=r"/etc/x\.conf: no query_mailaddrmap"):
        made.question(Service.MAILADDRMAP, "root")
    with pytest.raises(ConfigError, match=r"/etc/x\.conf: no fetch_source"):
        made.fetch_question(Service.SOURCE)


def test_auth_is_served_where_it_is_asked_for() -> None:
    assert backend(query_alias="GET %s").services == frozenset(Service) - {Service.AUTH}
    assert backend(query_auth="GET %s").services == frozenset(Service)


def test_meanings() -> None:
    made = backend()
    assert made.value(Service.ALIAS, "a") == "a"
    assert made.value(Service.ALIAS, "") is None
    assert made.value(Service.ALIAS, ["a", "b"]) == "a, b"
    assert made.value(Service.USERINFO, "1:2:/h") == "1:2:/h"
    assert made.found(Service.DOMAIN, 1)
    assert not made.found(Service.DOMAIN, [None])
    assert made.fetched(Service.SOURCE, ["a", None]) == ["a"]


def test_plain_data() -> None:
    places, queries = backend(query_alias="GET %s").plain()
    assert RedisPlace(*places[0]) == RedisPlace("h")
    assert queries == [["query_alias", "GET %s", 7]]
    assert backend().reads == ("/ca",)
