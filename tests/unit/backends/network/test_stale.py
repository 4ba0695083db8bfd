"""Answers that are kept for the time while the server is away."""

import pytest

from opensmtpd.backends.network.stale import HALF, Stale
from unit.support.network_fakes import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_last_answer_is_found_for_so_many_seconds(clock: Clock) -> None:
    stale = Stale(60.0, clock)
    assert stale.find("bob") is None
    stale.keep("bob", "old", True)
    stale.keep("bob", "new", True)
    stale.keep("eve", None, False)
    clock.now += 60.0
    assert (stale.find("bob"), stale.find("eve"), stale.find("carol")) == (("new",), (None,), None)
    clock.now += 0.1
    assert (stale.find("bob"), stale.find("eve")) == (None, None)


def test_a_row_that_came_or_went_is_not_what_it_was(clock: Clock) -> None:
    stale = Stale(60.0, clock)
    stale.keep("bob", None, False)
    stale.keep("bob", "there", True)
    assert stale.find("bob") == ("there",)
    stale.keep("bob", None, False)
    assert stale.find("bob") == (None,)


def test_keys_without_rows_do_not_push_rows_out(clock: Clock) -> None:
    stale = Stale(60.0, clock)
    stale.keep("bob", "there", True)
    for number in range(5 * HALF):
        stale.keep(number, None, False)
    assert stale.find("bob") == ("there",)
    assert stale.find(5 * HALF - 1) == (None,)
    assert stale.find(0) is None


def test_memory_is_bounded_and_the_oldest_go(clock: Clock) -> None:
    stale = Stale(60.0, clock)
    for number in range(10 * HALF):
        stale.keep(number, str(number), True)
    kept = sum(stale.find(number) is not None for number in range(10 * HALF))
    assert HALF <= kept <= 2 * HALF
    assert stale.find(10 * HALF - 1) == (str(10 * HALF - 1),)
