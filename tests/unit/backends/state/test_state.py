"""The state of a filter, with the real process and the real file behind it."""

import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.backends.state.results import UNKNOWN, Attempt, Kept, Permit
from opensmtpd.backends.state.state import LastingState, file_state, memory_state
from opensmtpd.backends.state.steps import GreylistTimes, Rate
from opensmtpd.errors import ConfigError
from unit.support.workers import processes, pump

T = TypeVar("T")
TIMES = GreylistTimes(delay=3600.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def state(path: Path) -> Iterator[LastingState]:
    made = file_state(str(path), deadline=10.0)  # a test must not depend on an idle machine
    yield made
    made.close()


def result(state: LastingState, deferred: Deferred[T]) -> T:
    """Return the value of a Deferred; an exception would fail the test."""
    ends: list[T] = []
    deferred.on_end(lambda value, error: ends.append(value) if error is None else None)
    pump(state._pool, lambda: ends)
    return ends[0]


def test_counts(state: LastingState) -> None:
    assert result(state, state.count(["a"], 3600.0)) == 1
    assert result(state, state.count(["a"], 3600.0, by=4)) == 5
    assert result(state, state.count(["a"], 3600.0, by=0)) == 5
    assert result(state, state.count(["b"], 3600.0, by=0)) == 0


def test_rates(state: LastingState) -> None:
    rate = Rate(1, 3600.0, burst=2)
    assert result(state, state.allow(["a"], rate, cost=2)) == Permit(True, 0.0)
    denied = result(state, state.allow(["a"], rate))
    assert isinstance(denied, Permit)
    assert not denied.allowed
    assert 3000 < denied.after <= 3600
    later = result(state, state.allow(["a"], rate, patience=7200.0))
    assert isinstance(later, Permit)
    assert later.allowed
    assert 3000 < later.after <= 3600
    assert result(state, state.allow(["a"], rate, cost=3)) == Permit(False, math.inf)


def test_triplets(state: LastingState) -> None:
    first = result(state, state.greylist(["a"], TIMES))
    assert first is not UNKNOWN
    assert (first.attempt, first.age, first.wait) == (Attempt.NEW, 0.0, 3600.0)
    second = result(state, state.greylist(["a"], TIMES))
    assert second is not UNKNOWN
    assert second.attempt is Attempt.EARLY
    assert 3000 < second.wait <= 3600
    third = result(state, state.greylist(["a"], TIMES._replace(delay=1e-6)))
    assert third is not UNKNOWN
    assert (third.attempt, third.wait, third.passes) == (Attempt.PASSED, 0.0, True)


def test_what_has_been_counted_often_enough_is_white(state: LastingState) -> None:
    assert result(state, state.white(["a"], 2, 3600.0)) is False
    assert result(state, state.white(["a"], 2, 3600.0, by=1)) is False
    assert result(state, state.white(["a"], 2, 3600.0, by=1)) is False  # within the hour
    assert result(state, state.white(["a"], 2, 3600.0, by=2)) is True
    assert result(state, state.white(["a"], 2, 3600.0)) is True
    assert result(state, state.white(["b"], 1, 3600.0, by=1)) is True
    assert result(state, state.forget(["b"])) is True
    assert result(state, state.white(["b"], 1, 3600.0)) is False


def test_bytes(state: LastingState) -> None:
    assert result(state, state.get(["a"])) is None
    assert result(state, state.put(["a"], b"\0\xff", 3600.0)) is True
    kept = result(state, state.get(["a"]))
    assert isinstance(kept, Kept)
    assert kept.value == b"\0\xff"
    assert 3000 < kept.left <= 3600
    assert result(state, state.forget(["a"])) is True
    assert result(state, state.get(["a"])) is None


def test_steps_of_other_kinds_have_other_keys(state: LastingState) -> None:
    result(state, state.count(["a"], 3600.0, by=7))
    result(state, state.put(["a"], b"v", 3600.0))
    assert result(state, state.allow(["a"], Rate(1, 3600.0))) == Permit(True, 0.0)
    found = result(state, state.greylist(["a"], TIMES))
    assert found is not UNKNOWN
    assert found.attempt is Attempt.NEW
    assert result(state, state.white(["a"], 1, 3600.0)) is False
    assert result(state, state.count(["a"], 3600.0, by=0)) == 7


def test_many_at_a_time(state: LastingState) -> None:
    asked = [state.count(["a"], 3600.0) for _ in range(500)]
    found: list[object] = []
    for each in asked:
        each.on_end(lambda value, _: found.append(value))
    pump(state._pool, lambda: len(found) == 500)
    assert found == list(range(1, 501))


def test_too_many_at_a_time_are_unknown(
    state: LastingState, capfd: pytest.CaptureFixture[str]
) -> None:
    found: list[object] = []
    for _ in range(4200):  # nobody lets the pool send meanwhile
        state.count(["a"], 3600.0).on_end(lambda value, _: found.append(value))
    pump(state._pool, lambda: len(found) == 4200)
    assert found.count(UNKNOWN) == 200
    assert (
        capfd.readouterr().err.splitlines()[0].endswith('reason="4000 requests wait for a worker"')
    )


def test_a_worker_that_dies_is_replaced_and_knows_all(state: LastingState) -> None:
    assert result(state, state.count(["a"], 3600.0)) == 1
    os.kill(processes(state._pool)[-1], signal.SIGKILL)
    assert result(state, state.count(["a"], 3600.0)) == 2


def test_a_worker_that_is_stopped_leaves_steps_unknown(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = file_state(str(path), deadline=0.3)
    result(state, state.count(["a"], 3600.0))
    os.kill(processes(state._pool)[-1], signal.SIGSTOP)
    assert result(state, state.count(["a"], 3600.0)) is UNKNOWN
    assert result(state, state.count(["a"], 3600.0)) is UNKNOWN  # at once
    lines = [line for line in capfd.readouterr().err.splitlines() if "state-" in line]
    assert lines == [f'state-away store={path} reason="no answer in time"']
    state.close()


def test_nonsense_of_the_worker_is_unknown(
    state: LastingState, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = state._take([3, b"=missing"], lambda reply: int(reply) if reply else 1 / int("x"))
    assert result(state, asked) is UNKNOWN
    assert "the store answers nonsense" in capfd.readouterr().err


def test_steps_that_cannot_be_are_errors_of_the_caller(state: LastingState) -> None:
    with pytest.raises(ValueError, match="seconds"):
        state.count(["a"], 0.0)
    with pytest.raises(ValueError, match="0 is not a whole number from 1"):
        state.white(["a"], 0, 3600.0)
    with pytest.raises(ValueError, match="65537 bytes"):
        state.put(["a"], b"x" * 65537, 1.0)


def test_whoever_does_not_wait_any_more_stops_nothing(state: LastingState) -> None:
    state.count(["a"], 3600.0).cancel()
    assert result(state, state.count(["a"], 3600.0)) == 2


def test_a_path_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder for the state"):
        file_state(str(tmp_path / "missing" / "state.db"))


def test_a_state_in_memory_is_lost_with_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = memory_state(deadline=10.0)
    try:
        assert result(state, state.count(["a"], 3600.0, by=2)) == 2
        assert result(state, state.put(["a"], b"v" * 65536, 3600.0)) is True
        assert result(state, state.count(["a"], 3600.0)) == 3
        os.kill(processes(state._pool)[-1], signal.SIGKILL)
        assert result(state, state.count(["a"], 3600.0)) == 1
    finally:
        state.close()
    assert os.listdir(tmp_path) == []


COUNTING = """
    import sys, time
    from opensmtpd.backends.state.state import file_state
    from opensmtpd.backends.state.results import UNKNOWN
    from opensmtpd.backends.state.steps import Rate

    state = file_state(sys.argv[1], deadline=30.0)
    counts, allows = [], []
    for _ in range(250):
        state.count(["a"], 3600.0).on_end(lambda value, _: counts.append(value))
        state.allow(["a"], Rate(1, 3600.0, burst=100)).on_end(lambda value, _: allows.append(value))
    while len(counts) + len(allows) < 500:
        state._pool._catch_up(0.05)
    allowed = sum(each is not UNKNOWN and each.allowed for each in allows)
    print(allowed, allows.count(UNKNOWN), counts.count(UNKNOWN))
"""


def test_eight_processes_lose_nothing_and_let_no_more_through(
    state: LastingState, path: Path
) -> None:
    """Each has its worker, and all of them one file.

    On a busy machine one may wait too long for the lock of another: it is told that nothing is
    known of its step, which was done or was not.
    """
    command = [sys.executable, "-c", textwrap.dedent(COUNTING), str(path)]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(8)]
    outputs = [other.communicate()[0] for other in others]
    assert [other.returncode for other in others] == [0] * 8
    numbers = [map(int, each.split()) for each in outputs]
    allowed, unknown, uncounted = map(sum, zip(*numbers, strict=True))
    assert unknown + uncounted < 50
    assert 100 - unknown <= allowed <= 100
    counted = result(state, state.count(["a"], 3600.0, by=0))
    assert counted is not UNKNOWN
    assert 2000 - uncounted <= counted <= 2000
