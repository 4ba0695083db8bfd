"""A server that is away is not asked for a while."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.backends.network.server import TimedServer
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.network_fakes import Clock

KEY = [["alias", "bob"]]


class FakeAsker:
    """Raises what it is told to, and else answers."""

    def __init__(self, clock: Clock, takes: float = 0.0) -> None:
        self.fault: BaseException | None = None
        self.untils: list[float] = []
        self.closed = 0
        self._clock, self._takes = clock, takes

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        self.untils.append(until)
        self._clock.now += self._takes
        if self.fault is not None:
            raise self.fault
        return [key for _, key in questions]

    def check(self, until: float) -> list[Fault]:
        self.ask([], until)
        return [["bad", 1, ""]]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asker(clock: Clock) -> FakeAsker:
    return FakeAsker(clock)


@pytest.fixture
def server(asker: FakeAsker, clock: Clock) -> TimedServer:
    return TimedServer(asker, "db.example.org", 1.5, clock)


def test_a_question_has_its_time(server: TimedServer, asker: FakeAsker) -> None:
    assert server.ask(KEY) == ["bob"]
    assert server.ask(KEY, 1000.3) == ["bob"]
    assert server.check(4.0) == [["bad", 1, ""]]
    assert asker.untils == [1001.5, 1000.3, 1004.0]
    assert server.until() == 1001.5
    server.close()
    assert asker.closed == 1


@pytest.mark.parametrize("fault", [ServerLost("gone"), ServerLate("late"), OSError(), KeyError()])
def test_while_it_is_away_questions_fail_at_once(
    server: TimedServer, asker: FakeAsker, clock: Clock, fault: Exception
) -> None:
    asker.fault = fault
    with pytest.raises(type(fault)):
        server.ask(KEY)
    clock.now += 0.1
    with pytest.raises(ServerLost) as caught:
        server.ask(KEY)
    assert str(caught.value) == "db.example.org: away, asked again in 0.4 s"
    assert len(asker.untils) == 1


def test_the_pauses_double_up_to_four_seconds_and_begin_anew(
    server: TimedServer, asker: FakeAsker, clock: Clock
) -> None:
    asker.fault = ServerLost("gone")
    assert attempts(server, asker, clock, 12.0) == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5]
    asker.fault = None
    clock.now += 4.0
    assert server.ask(KEY) == ["bob"]
    asker.fault = ServerLost("gone")
    assert attempts(server, asker, clock, 2.0) == [0.0, 0.5, 1.5]


def attempts(server: TimedServer, asker: FakeAsker, clock: Clock, seconds: float) -> list[float]:
    """Ask all the time, and return the times at which the server itself is asked."""
    began, times = clock.now, []
    while clock.now - began < seconds:
        asked = len(asker.untils)
        with pytest.raises(ServerLost):
            server.ask(KEY)
        if len(asker.untils) > asked:
            times.append(clock.now - began)
        clock.now += 0.125
    return times


def test_a_pause_begins_with_the_end_of_the_question(clock: Clock) -> None:
    asker = FakeAsker(clock, takes=1.0)
    server = TimedServer(asker, "db", 1.0, clock)
    asker.fault = ServerLate("late")
    with pytest.raises(ServerLate):
        server.ask(KEY)
    clock.now += 0.4
    with pytest.raises(ServerLost, match="away"):
        server.ask(KEY)
    assert len(asker.untils) == 1


def test_one_line_when_it_goes_and_one_when_it_comes(
    server: TimedServer, asker: FakeAsker, clock: Clock, logged: list[str]
) -> None:
    asker.fault = ServerLost("connection refused")
    for _ in range(20):
        with pytest.raises(ServerLost):
            server.ask(KEY)
        clock.now += 1.0
    asker.fault = None
    clock.now += 4.0
    server.ask(KEY)
    server.ask(KEY)
    assert logged == [
        'server-away server=db.example.org reason="connection refused"',
        "server-back server=db.example.org",
    ]


def test_a_server_that_refuses_is_there(
    server: TimedServer, asker: FakeAsker, clock: Clock, logged: list[str]
) -> None:
    asker.fault = ServerLost("gone")
    with pytest.raises(ServerLost):
        server.ask(KEY)
    clock.now += 0.5
    asker.fault = ServerRefused("no such table")
    for _ in range(3):
        with pytest.raises(ServerRefused):
            server.ask(KEY)
    assert len(asker.untils) == 4
    assert logged[1:] == ["server-back server=db.example.org"]


def test_a_check_that_fails_begins_a_pause_where_that_is_said(
    server: TimedServer, asker: FakeAsker, logged: list[str]
) -> None:
    asker.fault = ServerLost("gone")
    with pytest.raises(ServerLost, match="gone") as caught:
        server.check(4.0)
    assert logged == []
    server.failed(caught.value)
    with pytest.raises(ServerLost, match="away"):
        server.ask(KEY)
    assert logged == ["server-away server=db.example.org reason=gone"]
    with pytest.raises(ServerLost, match="gone"):
        server.check(4.0)


@given(st.lists(st.tuples(st.sampled_from(["ok", "lost", "late", "refused"]), st.floats(0, 6))))
def test_the_back_off_whatever_happens(steps: list[tuple[str, float]]) -> None:
    """No question within a pause; each pause is twice the last, and an answer ends them."""
    clock = Clock()
    asker = FakeAsker(clock)
    server = TimedServer(asker, "db", 1.0, clock)
    faults = {"lost": ServerLost("x"), "late": ServerLate("x"), "refused": ServerRefused("x")}
    pause, until = 0.0, 0.0
    for what, seconds in steps:
        asker.fault = faults.get(what)
        asked = len(asker.untils)
        try:
            server.ask(KEY)
            answered = True
        except (ServerLost, ServerLate, ServerRefused):
            answered = False
        if pause and clock.now < until:
            assert len(asker.untils) == asked
            assert not answered
        else:
            assert len(asker.untils) == asked + 1
            assert answered is (what == "ok")
            pause = min(4.0, 2 * pause or 0.5) if what in ("lost", "late") else 0.0
            until = clock.now + pause
        clock.now += seconds
