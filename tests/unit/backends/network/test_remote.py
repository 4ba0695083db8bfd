"""A connection in a worker that may die, hang or be late: one answer, and the right one."""

import os
import signal
from collections.abc import Iterator
from time import monotonic

import pytest

from opensmtpd.backends.network.remote import Remote
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused, Unavailable
from opensmtpd.needs import Needs
from opensmtpd.worker import Pool
from unit.support import network_fakes
from unit.support.workers import pump, whole


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(f"{network_fakes.__name__}:ObedientWorker", list(Needs()))
    yield pool
    pool.close()


@pytest.fixture
def remote(pool: Pool) -> Remote:
    return Remote(pool, {"host": "there"})


def asked(remote: Remote, *keys: str, seconds: float = 20.0) -> list[object]:
    return remote.ask([["alias", key] for key in keys], monotonic() + seconds)


def test_a_new_worker_is_told_the_configuration(remote: Remote) -> None:
    assert asked(remote, "bob", "none", "host") == ["bob", None, "there"]
    assert remote.check(monotonic() + 20) == []


def test_two_configurations_take_turns(pool: Pool, remote: Remote) -> None:
    other = Remote(pool, {"host": "wrong"})
    for _ in range(3):
        assert asked(remote, "host") == ["there"]
        assert asked(other, "host") == ["wrong"]
    assert other.check(monotonic() + 20) == [["no such column", 2, "see the schema"]]


@pytest.mark.parametrize(
    ("key", "fault", "text"),
    [
        ("lost", ServerLost, "it hung up"),
        ("refuse", ServerRefused, "no such relation"),
        ("bug", ServerRefused, "ValueError"),
        ("die", ServerRefused, "the worker died of this question, twice"),
    ],
)
def test_failures(remote: Remote, key: str, fault: type[Exception], text: str) -> None:
    assert asked(remote, "bob") == ["bob"]
    with pytest.raises(fault) as caught:
        asked(remote, key)
    assert str(caught.value) == text
    assert asked(remote, "carol") == ["carol"]


def test_a_server_that_is_away(pool: Pool) -> None:
    with pytest.raises(ServerLost, match="nobody is there"):
        asked(Remote(pool, {"host": "away"}), "bob")


def test_a_late_server_is_told_of_by_the_worker_itself(remote: Remote) -> None:
    [pid] = asked(remote, "pid")
    with pytest.raises(ServerLate, match="it was late"):
        asked(remote, "late", seconds=1.0)
    assert asked(remote, "pid") == [pid]


def test_a_worker_that_hangs_is_replaced(remote: Remote, pool: Pool) -> None:
    [pid] = asked(remote, "pid")
    with pytest.raises(ServerLate, match="no answer in time"):
        asked(remote, "hang", seconds=0.3)
    pump(pool, lambda: whole(pool))
    assert asked(remote, "bob") == ["bob"]
    assert asked(remote, "pid") != [pid]


def test_a_worker_that_is_killed_is_replaced_within_the_question(remote: Remote) -> None:
    for _ in range(3):
        [pid] = asked(remote, "pid")
        assert isinstance(pid, str)
        os.kill(int(pid), signal.SIGKILL)
        assert asked(remote, "bob") == ["bob"]


def test_a_worker_that_is_stopped_costs_its_question(remote: Remote, pool: Pool) -> None:
    [pid] = asked(remote, "pid")
    assert isinstance(pid, str)
    os.kill(int(pid), signal.SIGSTOP)
    with pytest.raises(ServerLate):
        asked(remote, "bob", seconds=0.3)
    pump(pool, lambda: whole(pool))
    assert asked(remote, "carol") == ["carol"]


def test_no_time_is_no_question(remote: Remote) -> None:
    [pid] = asked(remote, "pid")
    with pytest.raises(ServerLate, match="no time is left"):
        asked(remote, "bob", seconds=0.0)
    assert asked(remote, "pid") == [pid]


def test_a_long_list(remote: Remote) -> None:
    [rows] = asked(remote, "patterns_domain")
    assert rows == [f"*.{number}.example.org" for number in range(60000)]
    with pytest.raises(ServerRefused, match="more than"):
        asked(remote, "huge")
    assert asked(remote, "bob") == ["bob"]


def test_a_closed_one_is_opened_again(remote: Remote) -> None:
    asked(remote, "bob")
    remote.close()
    assert asked(remote, "bob") == ["bob"]


def test_whatever_is_asked_the_answers_are_those_of_their_keys(remote: Remote, pool: Pool) -> None:
    for number in range(60):
        fault = ("die", "hang", "lost", "bug", "late", "none")[number % 6]
        if number % 7 == 0:
            with_fault = [str(number), fault]
            try:
                assert asked(remote, *with_fault, seconds=0.2) == [str(number), None]
            except Unavailable:
                pump(pool, lambda: whole(pool))
        assert asked(remote, f"a{number}", f"b{number}") == [f"a{number}", f"b{number}"]
