import pytest

from opensmtpd.mail.rspamd.servers import PAUSE, PAUSE_MAX, RspamdServers


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def servers(clock: Clock) -> RspamdServers:
    return RspamdServers(["one", "two", "three"], clock)


def order(servers: RspamdServers) -> list[int]:
    """Return the servers in the order in which a message asks them, where none answers."""
    found: list[int] = []
    while len(found) < len(servers):
        found.append(servers.best(set(found)))
    return found


def test_they_are_asked_in_their_order(servers: RspamdServers, logged: list[str]) -> None:
    assert len(servers) == 3
    assert [servers.name(index) for index in range(3)] == ["one", "two", "three"]
    assert order(servers) == [0, 1, 2]
    assert servers.best({1}) == 0
    assert servers.best({0, 2}) == 1
    assert logged == []


def test_one_that_failed_is_asked_last(
    servers: RspamdServers, clock: Clock, logged: list[str]
) -> None:
    servers.failed(0, "connection refused", clock.now)
    assert order(servers) == [1, 2, 0]
    servers.failed(1, "late", clock.now)
    assert servers.best(set()) == 2
    assert servers.best({2}) == 0
    assert logged == [
        'server-away server=one reason="connection refused"',
        "server-away server=two reason=late",
    ]


def test_where_all_rest_the_first_one_is_asked(servers: RspamdServers, clock: Clock) -> None:
    for index in (2, 1, 0):
        servers.failed(index, "x", clock.now)
    assert order(servers) == [0, 1, 2]


def test_it_is_tried_by_one_message_when_it_has_rested(
    servers: RspamdServers, clock: Clock
) -> None:
    servers.failed(0, "x", clock.now)
    clock.now += PAUSE - 0.001
    assert servers.best(set()) == 1
    clock.now += 0.001
    assert servers.best(set()) == 0
    assert servers.best(set()) == 1  # while nobody knows what has become of the other one
    clock.now += PAUSE
    assert servers.best(set()) == 0


def test_it_rests_twice_as_long_each_time(servers: RspamdServers, clock: Clock) -> None:
    for pause in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        servers.failed(0, "x", clock.now)
        clock.now += pause - 0.001
        assert servers.best(set()) == 1
        clock.now += 0.001
        assert servers.best(set()) == 0
    assert (PAUSE, PAUSE_MAX) == (5.0, 60.0)


def test_messages_that_were_under_way_when_it_failed(
    servers: RspamdServers, clock: Clock, logged: list[str]
) -> None:
    """It rests as long as for one of them."""
    asked = clock.now
    clock.now += 1
    servers.failed(0, "x", asked)
    for _ in range(4):
        clock.now += 0.1
        servers.failed(0, "x", asked)
    clock.now += PAUSE - 0.4 - 0.001
    assert servers.best(set()) == 1
    clock.now += 0.001
    assert servers.best(set()) == 0
    assert logged == ["server-away server=one reason=x"]


def test_a_message_from_before_it_was_back(
    servers: RspamdServers, clock: Clock, logged: list[str]
) -> None:
    servers.failed(0, "x", clock.now)
    asked = clock.now
    clock.now += 20
    servers.answered(0)
    clock.now += 1
    servers.failed(0, "y", asked)
    assert order(servers) == [0, 1, 2]
    servers.failed(0, "z", clock.now)
    assert order(servers) == [1, 2, 0]
    assert logged == [
        "server-away server=one reason=x",
        "server-back server=one",
        "server-away server=one reason=z",
    ]


def test_it_is_away_once_and_back_once(
    servers: RspamdServers, clock: Clock, logged: list[str]
) -> None:
    for _ in range(3):
        servers.failed(0, "x", clock.now)
    for _ in range(3):
        servers.answered(0)
        servers.answered(1)
    assert logged == ["server-away server=one reason=x", "server-back server=one"]
    assert order(servers) == [0, 1, 2]
    servers.failed(0, "y", clock.now)
    clock.now += PAUSE  # and no longer
    assert servers.best(set()) == 0
    assert logged[2:] == ["server-away server=one reason=y"]


def test_one_alone_is_asked_always(clock: Clock, logged: list[str]) -> None:
    servers = RspamdServers(["one"], clock)
    for _ in range(5):
        assert servers.best(set()) == 0
        servers.failed(0, "x", clock.now)
    servers.answered(0)
    assert logged == ["server-away server=one reason=x", "server-back server=one"]
