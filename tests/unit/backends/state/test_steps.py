"""Steps as plain data, and the replies to them."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.state import steps
from opensmtpd.backends.state.results import Attempt, Greylisting, Kept, Permit
from opensmtpd.backends.state.steps import GreylistTimes, Rate

PARTS = st.lists(st.text(alphabet="a\0é\udcff", max_size=3), max_size=3)


def test_a_short_key_can_be_read() -> None:
    assert steps.key_of(["192.0.2.0/24", "a@x", "b@y"]) == b"=192.0.2.0/24\0a@x\0b@y"


def test_a_long_key_is_hashed() -> None:
    digest = hashlib.sha256(b"1:a200:" + b"x" * 200).digest()
    assert steps.key_of(["a", "x" * 200]) == b"#" + digest


@given(PARTS, PARTS)
def test_other_parts_have_other_keys(one: list[str], other: list[str]) -> None:
    assert (steps.key_of(one) == steps.key_of(other)) == (one == other)


def test_parts_in_other_places_have_other_keys() -> None:
    assert steps.key_of(["a", "", "b"]) != steps.key_of(["a", "b", ""])
    assert steps.key_of(["a\0b"]) != steps.key_of(["a", "b"])


@pytest.mark.parametrize(
    ("units", "seconds", "microseconds"),
    [(1, 1.0, 1_000_000), (3, 10.0, 3_333_334), (10**9, 1.0, 1), (1, 86400.0, 86_400_000_000)],
)
def test_the_interval_of_a_rate_is_rounded_up(
    units: int, seconds: float, microseconds: int
) -> None:
    assert Rate(units, seconds).interval == microseconds


def test_steps_have_whole_microseconds() -> None:
    assert steps.count(b"k", 2, 0.5) == [steps.COUNT, b"k", 2, 500_000]
    assert steps.greylist(b"k", GreylistTimes()) == [
        *(steps.GREYLIST, b"k"),
        *(300_000_000, 172_800_000_000, 3_024_000_000_000),
    ]
    assert steps.put(b"k", b"v", 1e-9) == [steps.PUT, b"k", b"v", 1]
    assert steps.white(b"k", 2, 5, 0.5) == [steps.WHITE, b"k", 2, 5, 3_600_000_000, 500_000]
    assert steps.allow(b"k", Rate(2, 1.0, burst=3), 2, 0.25) == [
        *(steps.ALLOW, b"k"),
        *(1_000_000, 1_500_000, 250_000),
    ]


def test_more_than_a_burst_is_never_allowed() -> None:
    assert steps.allow(b"k", Rate(1, 1.0, burst=2), 3, 0.0) is None
    assert steps.allow(b"k", Rate(1, 1.0, burst=2), 3, 1.0) is not None
    assert steps.allow(b"k", Rate(1, 86400.0, burst=2), 10**15, 60.0) is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 401 * 86400])
def test_odd_times_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="is not a number of seconds"):
        steps.count(b"k", 1, seconds)
    with pytest.raises(ValueError, match="is not a number of seconds"):
        steps.white(b"k", 1, 1, seconds)


@pytest.mark.parametrize("seconds", [0.0, -5.0, float("nan"), float("inf"), 401 * 86400])
def test_a_rate_has_a_period(seconds: float) -> None:
    """With one of no time, or less, everything would be allowed."""
    with pytest.raises(ValueError, match="is not a number of seconds"):
        steps.allow(b"k", Rate(1000, seconds), 1, 0.0)


@pytest.mark.parametrize("patience", [-1.0, float("nan"), float("inf")])
def test_odd_patience_is_refused(patience: float) -> None:
    with pytest.raises(ValueError, match="a patience of"):
        steps.allow(b"k", Rate(1, 1.0), 1, patience)


@pytest.mark.parametrize("number", [-1, 0, 1.0, 1.5, float("nan"), float("inf"), 10**400])
def test_numbers_of_a_rate_are_whole_and_above_0(number: Any) -> None:
    for rate, cost in (
        (Rate(number, 1.0), 1),
        (Rate(1, 1.0, burst=number), 1),
        (Rate(1, 1.0), number),
    ):
        with pytest.raises(ValueError, match="is not a whole number from 1"):
            steps.allow(b"k", rate, cost, 0.0)


@pytest.mark.parametrize("number", [-1, 1.0, 1.5, float("nan"), float("inf"), 10**15 + 1])
def test_what_is_counted_is_whole(number: Any) -> None:
    with pytest.raises(ValueError, match="is not a whole number from 0"):
        steps.count(b"k", number, 1.0)
    with pytest.raises(ValueError, match="is not a whole number from 0"):
        steps.white(b"k", number, 1, 1.0)


@pytest.mark.parametrize("enough", [-1, 0, 1.0, 10**15 + 1])
def test_nothing_is_white_without_being_counted(enough: Any) -> None:
    with pytest.raises(ValueError, match="is not a whole number from 1"):
        steps.white(b"k", 0, enough, 1.0)


@pytest.mark.parametrize("delay", [200.0, 200.0000001, 300.0])
def test_a_triplet_may_pass_before_it_is_forgotten(delay: float) -> None:
    with pytest.raises(ValueError, match=r"a window of 200\.0"):
        steps.greylist(b"k", GreylistTimes(delay, window=200.0))
    assert steps.greylist(b"k", GreylistTimes(199.0, window=200.0))[2] == 199_000_000


def test_odd_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="65537 bytes to keep, more than 65536"):
        steps.put(b"k", b"x" * 65537, 1.0)
    with pytest.raises(ValueError, match="fills up in more than"):
        steps.allow(b"k", Rate(1, 86400.0, burst=401), 1, 0.0)


def test_replies_become_results() -> None:
    times = GreylistTimes(delay=300.0)
    assert steps.number(7) == 7
    assert steps.permit(0, [1, 0]) == Permit(True, 0.0)
    assert steps.permit(1_500_000, [1, 1_500_000]) == Permit(True, 1.5)
    assert steps.permit(0, [0, 1_500_000]) == Permit(False, 1.5)
    assert steps.greylisting(times, [1, 100_000_000]) == Greylisting(Attempt.EARLY, 100.0, 200.0)
    assert steps.greylisting(times, [2, 400_000_000]) == Greylisting(Attempt.PASSED, 400.0, 0.0)
    assert [steps.is_white(reply) for reply in (0, 1)] == [False, True]
    assert steps.kept([b"v", 2_000_000]) == Kept(b"v", 2.0)
    assert steps.kept(None) is None


@pytest.mark.parametrize("reply", [None, [], [1], [1, -1], [1, 1], [-1, 0], [0, "1"], [1, 1.0]])
def test_nonsense_is_no_permit(reply: Any) -> None:
    """A wait that is longer than the patience would hold mail for as long as a server likes."""
    with pytest.raises((ValueError, TypeError)):
        steps.permit(0, reply)


@pytest.mark.parametrize("reply", [None, [], [1], [1, -1], [4, 0], ["1", 0], "ab", 5, [True, 1]])
def test_nonsense_is_no_result(reply: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        steps.greylisting(GreylistTimes(), reply)


@pytest.mark.parametrize("reply", [-1, 2, 1.0, True, None, "1", [1]])
def test_nonsense_is_not_white(reply: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        steps.is_white(reply)


@pytest.mark.parametrize("reply", [-1, 1.0, True, None, "1"])
def test_nonsense_is_no_number(reply: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        steps.number(reply)
