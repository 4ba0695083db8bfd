"""Lists of a server: read now and then, kept where they cannot be read."""

from pathlib import Path

import pytest

from opensmtpd.backends.network.lists import Lists
from opensmtpd.errors import ConfigError, HandlerTimeout, ServerLost, ServerRefused
from opensmtpd.table import Service
from unit.support.network_fakes import Clock, FakeBackend, FakeServer, made

pytestmark = pytest.mark.usefixtures("server", "logged")
GONE = ServerLost("gone")
SERVICE = Service.DOMAIN


@pytest.fixture
def lists(tmp_path: Path, clock: Clock) -> Lists:
    lines = ("patterns_domain x", "patterns_regex x", "stale 100", "fetch_source_refresh 3")
    return made(tmp_path, *lines, clock=clock)._lists


def row(lists: Lists, key: str, service: Service = SERVICE) -> str | None:
    index = lists.patterns(service)
    assert index is not None
    return index.find(key)


def test_patterns_are_read_again_after_a_minute(
    lists: Lists, server: FakeServer, clock: Clock
) -> None:
    server.rows["patterns_domain"] = "*.org"
    assert row(lists, "x.org") == "*.org"
    server.rows["patterns_domain"] = "*.net"
    clock.now += 59.9
    assert row(lists, "x.org") == "*.org"
    clock.now += 0.1
    assert row(lists, "x.org") is None
    assert row(lists, "x.net") == "*.net"
    assert server.calls == ["connect", "ask", "ask"]


def test_rows_that_stay_the_same_make_no_new_index(
    lists: Lists, server: FakeServer, clock: Clock
) -> None:
    server.rows["patterns_domain"] = "*.org"
    index = lists.patterns(SERVICE)
    clock.now += 60
    assert lists.patterns(SERVICE) is index
    assert server.calls == ["connect", "ask", "ask"]


def test_an_index_that_cannot_be_read_again_is_kept_for_another_minute(
    lists: Lists, server: FakeServer, clock: Clock, logged: list[str]
) -> None:
    server.rows["patterns_domain"] = "*.org"
    assert row(lists, "x.org") == "*.org"
    for fault in (GONE, ServerRefused("no"), HandlerTimeout("5 s")):
        clock.now += 60
        server.faults = [fault, fault]
        assert row(lists, "x.org") == "*.org"
        server.faults = [AssertionError("asked too soon")]
        clock.now += 59
        assert row(lists, "x.org") == "*.org"
        server.faults = []
        clock.now += 1
        assert row(lists, "x.org") == "*.org"
    assert [line for line in logged if "patterns" in line] == [
        "patterns-kept service=domain reason=gone",
        "patterns-kept service=domain reason=no",
        'patterns-kept service=domain reason="5 s"',
    ]


def test_without_an_index_there_is_an_error(lists: Lists, server: FakeServer, clock: Clock) -> None:
    server.faults = [GONE]
    with pytest.raises(ServerLost):
        lists.patterns(SERVICE)
    clock.now += 0.5
    server.rows["patterns_domain"] = "*.org"
    assert row(lists, "x.org") == "*.org"


def test_expressions_are_read_once(lists: Lists, server: FakeServer, clock: Clock) -> None:
    server.rows["patterns_regex"] = "^a+$"
    assert row(lists, "aaa", Service.REGEX) == "^a+$"
    server.rows["patterns_regex"] = "^b+$"
    clock.now += 1000
    assert row(lists, "aaa", Service.REGEX) == "^a+$"


def test_all_are_read_at_start(lists: Lists, server: FakeServer) -> None:
    server.rows = {"patterns_domain": "*.org", "patterns_regex": "^a+$"}
    lists.load(4.0)
    assert server.asked == [[["patterns_domain"]], [["patterns_regex"]]]
    lists.patterns(SERVICE)
    assert lists.patterns(Service.NETADDR) is None
    assert len(server.asked) == 2


def test_rows_that_match_nothing_are_logged(
    lists: Lists, server: FakeServer, logged: list[str], tmp_path: Path
) -> None:
    server.rows["patterns_regex"] = "^a+$ ( )x("
    lists.patterns(Service.REGEX)
    [line] = logged
    assert line.startswith(f"rows-ignored path={tmp_path}/fake.conf service=regex count=2 first=(")


def test_values_in_turn(lists: Lists, server: FakeServer) -> None:
    server.rows["fetch_source"] = "b a"
    assert [lists.fetch(Service.SOURCE) for _ in range(3)] == ["a", "b", "a"]
    server.rows["fetch_source"] = "c"
    assert lists.fetch(Service.SOURCE) == "c"
    server.rows = {}
    assert [lists.fetch(Service.RELAYHOST) for _ in range(2)] == [None, None]


def test_a_list_that_cannot_be_read_again_is_stale_for_a_while(
    lists: Lists, server: FakeServer, clock: Clock
) -> None:
    server.rows["fetch_source"] = "a"
    for _ in range(3):
        lists.fetch(Service.SOURCE)
    server.faults = [GONE] * 100
    clock.now += 100
    assert lists.fetch(Service.SOURCE) == "a"
    clock.now += 1
    with pytest.raises(ServerLost):
        lists.fetch(Service.SOURCE)


def test_without_stale_it_is_an_error(tmp_path: Path, server: FakeServer, clock: Clock) -> None:
    lists = made(tmp_path, "fetch_source_refresh 1", clock=clock)._lists
    server.rows["fetch_source"] = "a"
    assert lists.fetch(Service.SOURCE) == "a"
    clock.now += 0.1
    server.faults = [GONE] * 2
    with pytest.raises(ServerLost):
        lists.fetch(Service.SOURCE)


def test_a_list_that_there_is_not(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, server: FakeServer
) -> None:
    def question(_self: FakeBackend, service: Service) -> list[str]:
        raise ConfigError(f"no fetch_{service}")

    monkeypatch.setattr(FakeBackend, "fetch_question", question)
    with pytest.raises(ConfigError):
        lists.fetch(Service.SOURCE)
    assert server.calls == []
