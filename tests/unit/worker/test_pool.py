import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from opensmtpd import answer
from opensmtpd.errors import ConfigError, HandlerTimeout, WorkerError
from opensmtpd.worker import Pool
from unit.support.workers import ECHO, Echo, processes, pump, whole


def _keep(replies: list[tuple[int, object]], number: int, value: object, _error: object) -> None:
    replies.append((number, value))


def _replaced(pool: Pool, pid: int) -> bool:
    return pid not in processes(pool) and whole(pool)


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(ECHO, {"a": 1}, count=2, deadline=10)
    pump(made, lambda: whole(made))
    yield made
    made.close()


@pytest.fixture
def lone() -> Iterator[Pool]:
    """A pool of one worker, which a request finds free: that takes a shorter way."""
    made = Pool(ECHO, deadline=10)
    pump(made, lambda: whole(made))
    assert made._crew.free is not None
    yield made
    made.close()


def test_a_free_worker_is_asked(lone: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lone, "_ask", None)  # the longer way
    for number in range(300):
        assert lone.request(["é", number]) == ["é", number]
    with pytest.raises(WorkerError, match="not this one") as refused:
        lone.request("refuse")
    assert refused.value.kind == "ConfigError"
    with pytest.raises(WorkerError, match="not plain data"):
        lone.request(object())
    assert lone.request("x" * 900_000) == "x" * 900_000


def test_a_free_worker_that_dies(lone: Pool) -> None:
    for _ in range(3):
        with pytest.raises(WorkerError, match="died of this request, twice"):
            lone.request("die")
        assert lone.request("x") == "x"
        pump(lone, lambda: whole(lone))


def test_a_free_worker_that_was_killed_a_moment_ago(lone: Pool) -> None:
    """Nobody has seen it yet."""
    for _ in range(3):
        assert lone.request("x") == "x"
        lone._caught_up = time.monotonic()
        os.kill(processes(lone)[2], signal.SIGKILL)
        assert lone.request("y") == "y"
        pump(lone, lambda: whole(lone))


def test_a_free_worker_that_is_late(lone: Pool) -> None:
    pid = processes(lone)[2]
    with pytest.raises(WorkerError, match="no answer in time"):
        lone.request("hang", 0.2)
    pump(lone, lambda: whole(lone))
    assert processes(lone)[2] != pid
    assert lone.request("x") == "x"


def _interrupt(*_: object) -> NoReturn:
    raise HandlerTimeout("it blocked")


def test_a_request_that_is_interrupted(lone: Pool) -> None:
    """Its answer is still to come, or its worker is killed at the deadline."""
    pid = processes(lone)[2]
    old = signal.signal(signal.SIGALRM, _interrupt)
    try:
        for request in ("nap", "hang"):
            assert lone.request("pid") == pid
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(HandlerTimeout):
                lone.request(request, 2)
    finally:
        signal.signal(signal.SIGALRM, old)
    pump(lone, partial(_replaced, lone, pid))
    assert lone.request("x") == "x"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_process_that_ends_while_no_descriptor_is_free(lone: Pool, place: int) -> None:
    """It is replaced when there is one again."""
    pid = processes(lone)[place]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        os.kill(pid, signal.SIGKILL)
        pump(lone, lambda: pid not in processes(lone))
        if place == 2:
            with pytest.raises(WorkerError, match="no answer in time"):
                lone.request("x", 0.1)
        else:
            assert lone.request("x") == "x"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    pump(lone, partial(_replaced, lone, pid))
    assert lone.request("x") == "x"


def test_garbage_is_collected_once_all_is_imported(lone: Pool) -> None:
    assert lone.request("collects garbage") is True


def test_an_idle_process_that_ends_is_replaced_while_requests_come(lone: Pool) -> None:
    for pid in processes(lone)[:2]:
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while pid in processes(lone) or not whole(lone):
            assert lone.request("x") == "x"
            assert time.monotonic() < end


def test_what_is_asked_beside_is_answered_too(lone: Pool) -> None:
    replies: list[object] = []
    for number in range(5):
        lone.ask(number).on_end(lambda value, error: replies.append(value))
        assert lone.request("x") == "x"
    pump(lone, lambda: len(replies) == 5)
    assert replies == [0, 1, 2, 3, 4]


def test_it_loads_and_answers(pool: Pool) -> None:
    assert pool.loaded == ["loaded", {"a": 1}]
    assert pool.request([1, "é\udcff", b"\xff\0", None, True, 1.5, {"k": [2]}]) == [
        1, "é\udcff", b"\xff\0", None, True, 1.5, {"k": [2]},
    ]  # fmt: skip


def test_many_requests_at_once_are_each_answered(pool: Pool) -> None:
    replies: list[tuple[int, object]] = []
    for number in range(500):
        pool.ask(number).on_end(partial(_keep, replies, number))
    pump(pool, lambda: len(replies) == 500)
    assert sorted(replies) == [(number, number) for number in range(500)]
    assert not pool._crew.size


def test_both_workers_are_used(pool: Pool) -> None:
    pids: set[object] = set()
    for _ in range(20):
        pool.ask("pid").on_end(lambda value, error: pids.add(value))
    pump(pool, lambda: pool._crew.idle)
    assert pids == set(processes(pool)[2:])


@pytest.mark.parametrize("worker", [ECHO, Echo])
def test_the_class_may_be_named_or_given(worker: str | type[Echo]) -> None:
    pool = Pool(worker, "x")
    assert pool.request("setup") == "x"
    pool.close()


@pytest.mark.parametrize(
    ("worker", "setup", "text"),
    [
        (ECHO, "bad", "/etc/echo: bad setup"),
        (ECHO, "broken", "ValueError in a worker that loads"),
        (ECHO, "exit", "a worker ended while it was loading"),
        ("no.such.module:Echo", None, "ModuleNotFoundError in a worker that loads"),
        ("unit.support.workers:Nothing", None, "is no worker"),
        ("unit.support.workers:ECHO", None, "is no worker"),
    ],
)
def test_what_cannot_be_loaded(worker: str, setup: object, text: str) -> None:
    before = list(answer.sources())
    with pytest.raises(ConfigError, match=text) as caught:
        Pool(worker, setup)
    assert "secret" not in str(caught.value)
    assert answer.sources() == before


def test_exceptions_cross_by_name_and_only_ours_with_their_text(pool: Pool) -> None:
    with pytest.raises(WorkerError, match=r"^ValueError$") as caught:
        pool.request("raise")
    assert caught.value.kind == "ValueError"
    with pytest.raises(WorkerError, match=r"^not this one$") as caught:
        pool.request("refuse")
    assert caught.value.kind == "ConfigError"


def test_data_that_is_not_plain_or_too_large_is_an_error_of_that_request(pool: Pool) -> None:
    with pytest.raises(WorkerError, match="not plain data"):
        pool.request(object())
    with pytest.raises(WorkerError, match="more than 1048576"):
        pool.request(b"x" * (2 << 20))
    with pytest.raises(WorkerError, match="more than 1048576"):
        pool.request("large")
    assert pool.request("x") == "x"


def test_a_worker_that_dies_is_replaced_and_the_request_asked_again(pool: Pool) -> None:
    for pid in processes(pool)[2:]:
        os.kill(pid, signal.SIGKILL)
        pump(pool, partial(_replaced, pool, pid))
        assert pool.request("x") == "x"


def test_a_request_that_kills_two_workers_is_refused(pool: Pool) -> None:
    behind = [pool.ask(number) for number in range(3)]
    with pytest.raises(WorkerError, match="died of this request, twice"):
        pool.request("die")
    ends: list[object] = []
    for deferred in behind:
        deferred.on_end(lambda value, error: ends.append((value, error)))
    pump(pool, lambda: len(ends) == 3)
    assert sorted(ends, key=str) == [(0, None), (1, None), (2, None)]


def test_each_process_may_be_killed_one_after_another(pool: Pool) -> None:
    for _ in range(2):
        for pid in processes(pool):
            if pid in processes(pool):
                os.kill(pid, signal.SIGKILL)
                pump(pool, partial(_replaced, pool, pid))
            assert pool.request("x") == "x"


def test_a_request_may_have_a_deadline_of_its_own() -> None:
    pool = Pool(ECHO, None, deadline=1e6)
    with pytest.raises(WorkerError, match="no answer in time"):
        pool.request("hang", 0.1)
    pump(pool, lambda: whole(pool))
    assert pool.request("x") == "x"
    pool.close()


def test_requests_without_an_answer_fail_when_the_pool_is_closed() -> None:
    pool = Pool(ECHO)
    errors: list[BaseException | None] = []
    for _ in range(3):
        pool.ask("hang").on_end(lambda value, error: errors.append(error))
    pool.close()
    assert [type(error) for error in errors] == [WorkerError] * 3


def test_a_hung_worker_is_killed_at_the_deadline() -> None:
    pool = Pool(ECHO, None, deadline=0.3)
    pid = pool.request("pid")
    with pytest.raises(WorkerError, match="no answer in time"):
        pool.request("hang")
    pump(pool, lambda: whole(pool))
    assert pool.request("pid") != pid
    pool.close()


def test_a_request_behind_others_keeps_its_own_deadline(pool: Pool) -> None:
    first = processes(pool)[2:]
    ends: list[object] = []
    for _ in first:
        pool.ask("hang").on_end(lambda value, error: ends.append(error))
    with pytest.raises(WorkerError, match=r"^no answer in time$"):
        pool.request("hang", 0.05)
    assert not ends
    pump(pool, lambda: whole(pool))
    assert len(set(first) & set(processes(pool))) == 1


def test_workers_that_are_replaced_leave_their_requests_to_others(pool: Pool) -> None:
    first = processes(pool)[2:]
    for pid in first:
        os.kill(pid, signal.SIGSTOP)
    replies: list[tuple[int, object]] = []
    for number in range(10):
        pool.ask(number).on_end(partial(_keep, replies, number))
    for settle in pool.replace():
        settle()
    pump(pool, lambda: len(replies) == 10 and whole(pool))
    assert sorted(replies) == [(number, number) for number in range(10)]
    assert not set(first) & set(processes(pool))


def test_a_worker_has_as_many_requests_as_its_window() -> None:
    pool = Pool(ECHO, window=20)
    pump(pool, lambda: whole(pool))
    os.kill(processes(pool)[2], signal.SIGSTOP)
    for number in range(30):
        pool.ask(number)
    assert len(pool._crew.workers[0].requests) == 20
    pool.close()


def test_after_a_late_answer_requests_fail_at_once_until_a_worker_serves() -> None:
    pool = Pool(ECHO, None, deadline=0.3)
    pump(pool, lambda: whole(pool))
    stems, workers = processes(pool)[:2], processes(pool)[2:]
    for pid in (*stems, *workers):
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match="no answer in time"):
        pool.request("x")
    with pytest.raises(WorkerError, match="being restarted"):
        pool.request("x")
    for pid in stems:
        os.kill(pid, signal.SIGCONT)
    pump(pool, lambda: not pool._crew.restarting)
    assert pool.request("x") == "x"
    pool.close()


def test_a_stopped_stem_is_passed_over() -> None:
    pool = Pool(ECHO, None, deadline=10)
    pump(pool, lambda: whole(pool))
    stem, _, worker = processes(pool)
    os.kill(stem, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    pump(pool, lambda: stem not in processes(pool) and whole(pool))
    assert pool.request("x") == "x"
    pool.close()


def test_others_are_answered_while_a_worker_is_stopped(pool: Pool) -> None:
    os.kill(processes(pool)[2], signal.SIGSTOP)
    ends: list[object] = []
    for number in range(4):
        pool.ask(number).on_end(lambda value, error: ends.append(value))
    pump(pool, lambda: len(ends) >= 2)
    assert pool.request("pid") == processes(pool)[3]


def test_too_many_requests_are_refused_at_once() -> None:
    pool = Pool(ECHO, None, queue=3)
    asked = [pool.ask("hang") for _ in range(4)]
    errors: list[BaseException | None] = []
    for deferred in asked:
        deferred.on_end(lambda value, error: errors.append(error))
    assert [str(error) for error in errors] == ["3 requests wait for a worker"]
    pool.close()


def test_signals_of_an_administrator_do_nothing(pool: Pool) -> None:
    before = processes(pool)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
        for pid in before:
            os.kill(pid, number)
    assert [pool.request("x") for _ in range(20)] == ["x"] * 20
    assert processes(pool) == before


def test_a_reload_takes_the_place_of_the_old(pool: Pool) -> None:
    before = processes(pool)
    assert pool.reload({"a": 2}) == ["loaded", {"a": 2}]
    assert pool.request("setup") == {"a": 2}
    pump(pool, lambda: whole(pool))
    assert not set(before) & set(processes(pool))


def test_a_reload_that_fails_changes_nothing(pool: Pool) -> None:
    before = processes(pool)
    with pytest.raises(ConfigError, match="bad setup"):
        pool.reload("bad")
    assert pool.request("setup") == {"a": 1}
    assert processes(pool) == before


def test_what_was_asked_before_a_reload_is_answered_by_the_old(pool: Pool) -> None:
    replies: list[object] = []
    for _ in range(50):
        pool.ask("setup").on_end(lambda value, error: replies.append(value))
    pool.reload({"a": 2})
    assert pool.request("setup") == {"a": 2}
    pump(pool, lambda: len(replies) == 50)
    assert replies == [{"a": 1}] * 50
    pump(pool, lambda: not pool._retired)


PROGRAM = """
import os, sys, time
from opensmtpd.worker import Pool, Worker

class Own(Worker):
    title = "own"
    def handle(self, request):
        return [__name__, request]

if __name__ == "__main__":
    pool = Pool(Own, None, count=2)
    print(pool.request("x"), flush=True)
    time.sleep(60)
"""


def descendants(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            child = int(path.parent.name)
            found += [child, *descendants(child)]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def titles(pids: list[int]) -> list[bytes]:
    """Return the names of processes that are there; those that fork others are soon gone."""
    found = []
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0"))
    return sorted(found)


def test_nothing_outlives_the_front_though_it_is_killed_and_all_are_stopped(tmp_path: Path) -> None:
    path = tmp_path / "filter-own"
    path.write_text(PROGRAM)
    path = path.rename(tmp_path / "own.py")
    front = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)
    assert front.stdout is not None
    with front:
        assert front.stdout.readline() == "['opensmtpd_worker_program', 'x']\n"
        end = time.monotonic() + 20
        expected = [b"own.py: own"] * 2 + [b"own.py: own (stem)"] * 2
        while titles(children := descendants(front.pid)) != expected or len(children) > 4:
            assert time.monotonic() < end, titles(children)
            time.sleep(0.01)
        for pid in children:
            assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
            os.kill(pid, signal.SIGSTOP)
        front.kill()
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < end:
        time.sleep(0.01)
    alive = [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert [pid for pid in alive if " Z " not in Path(f"/proc/{pid}/stat").read_text()] == []
