"""A store that is away: what is logged, and when it is asked."""

import pytest

from opensmtpd.backends.state.outage import Outage


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> Outage:
    return Outage("valkey", clock)


def test_a_store_that_is_well_is_always_asked(outage: Outage) -> None:
    assert [outage.asks() for _ in range(3)] == [True, True, True]


def test_it_rests_twice_as_long_each_time(outage: Outage, clock: Clock) -> None:
    rests = []
    for _ in range(6):
        assert outage.asks()
        outage.failed("gone")
        begin = clock.now
        while not outage.asks():
            clock.now += 0.25
        outage.failed("gone")  # of the step that has just been let through
        rests.append(clock.now - begin)
        clock.now += 10
    assert rests == [0.5, 2.0, 4.0, 4.0, 4.0, 4.0]


def test_one_step_is_tried_at_a_time(outage: Outage, clock: Clock) -> None:
    outage.failed("gone")
    clock.now += 0.5
    assert [outage.asks() for _ in range(3)] == [True, False, False]
    outage.answered()
    assert [outage.asks() for _ in range(3)] == [True, True, True]


def test_failures_of_steps_that_were_under_way_count_once(outage: Outage, clock: Clock) -> None:
    for _ in range(10):
        outage.failed("gone")
    clock.now += 0.5
    assert outage.asks()


def test_an_outage_is_two_lines(
    outage: Outage, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    outage.answered()
    outage.failed("gone")
    outage.failed("gone")
    assert not outage.asks()
    clock.now += 0.5
    assert outage.asks()
    outage.failed("still gone")
    clock.now += 1
    assert outage.asks()
    outage.answered()
    outage.answered()
    assert capfd.readouterr().err.splitlines() == [
        "state-away store=valkey reason=gone",
        "state-back store=valkey unknown=4",
    ]
