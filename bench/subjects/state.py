"""The state of filters: one step after another, in SQLite and in Valkey.

Each step is measured where it is taken, and as a filter sees it, by a worker, with the Python of
this tree; so is the memory of the processes behind a filter. The goals are those of a step by a
worker: a filter waits for the way to that process and back, too.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from bench import turns
from bench.records import OURS, Figure, Goal, finish
from lab.peers.databases.valkey import ValkeyServer
from lab.root import stage
from opensmtpd.answer import Deferred
from opensmtpd.backends.state import steps
from opensmtpd.backends.state.file.worker import FileWorker
from opensmtpd.backends.state.state import LastingState, file_state, server_state
from opensmtpd.backends.state.steps import GreylistTimes, Rate
from opensmtpd.backends.state.valkey.worker import ValkeyWorker

Take: TypeAlias = Callable[[int], object]
GOALS_US = {"SQLite": 60.0, "Valkey": 150.0}
"""For the median of a step by a worker, at most."""
RATE, TIMES = Rate(1000, 1.0, burst=1000), GreylistTimes()


def direct(worker: Any) -> dict[str, Take]:
    """Return the steps, taken in this process."""
    until = time.monotonic() + 3600

    def take(step: list[Any] | None) -> object:
        assert step is not None
        return worker.handle([until, *step])

    return {
        "count": lambda n: take(steps.count(b"=a%d" % (n % 1000), 1, 3600.0)),
        "allow": lambda n: take(steps.allow(b"=a%d" % (n % 1000), RATE, 1, 0.0)),
        "greylist": lambda n: take(steps.greylist(b"=a%d" % n, TIMES)),
        "white": lambda n: take(steps.white(b"=a%d" % (n % 1000), 1, 5, 3600.0)),
        "put": lambda n: take(steps.put(b"=a%d" % n, b"x" * 100, 3600.0)),
        "get": lambda n: take([steps.GET, b"=a%d" % n]),
    }


def remote(state: LastingState) -> dict[str, Take]:
    """Return the steps, as a filter takes them; it waits for each."""

    def wait(deferred: Deferred[Any]) -> object:
        ends: list[object] = []
        deferred.on_end(lambda *end: ends.append(end))
        state._pool.flush()
        while not ends:
            state._pool._catch_up(1.0)
        return ends[0]

    return {
        "count": lambda n: wait(state.count(["b", str(n % 1000)], 3600.0)),
        "allow": lambda n: wait(state.allow(["b", str(n % 1000)], RATE)),
        "greylist": lambda n: wait(state.greylist(["b", str(n)], TIMES)),
        "white": lambda n: wait(state.white(["b", str(n % 1000)], 5, 3600.0, by=1)),
        "put": lambda n: wait(state.put(["b", str(n)], b"x" * 100, 3600.0)),
        "get": lambda n: wait(state.get(["b", str(n)])),
    }


def measured(take: Take, count: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of so many steps."""
    times = []
    for number in range(count):
        begin = time.perf_counter_ns()
        take(number)
        times.append(time.perf_counter_ns() - begin)
    times.sort()
    return times[count // 2] / 1000, times[count * 99 // 100] / 1000


def memory(state: LastingState) -> float:
    """Return the proportional set size of the processes behind a filter, in MiB."""
    crew = state._pool._crew
    pids = [end.pid for end in (*crew.stems, *crew.workers)]
    lines = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(text.split("\nPss:")[1].split()[0]) for text in lines) / 1024


def steps_of(
    ways: dict[str, dict[str, Take]], count: int, rounds: int
) -> Iterator[tuple[str, int, dict[str, list[float]]]]:
    """Measure all steps, each in all ways in turn; yield step, percentile and values."""
    for step in ("count", "allow", "greylist", "white", "put", "get"):
        runs = {way: partial(measured, takes[step], count) for way, takes in ways.items()}
        taken = turns.take(runs, rounds)
        for at, percent in ((0, 50), (1, 99)):
            yield step, percent, {way: [each[at] for each in found] for way, found in taken.items()}


def figures(count: int, rounds: int) -> Iterator[Figure]:
    """Measure all steps here and by a worker, and what the workers hold."""
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder,
        ValkeyServer(stage.stages()["7.6"].root) as valkey,
    ):
        url = f"unix://{valkey.socket}"
        in_file, at_server = FileWorker(), ValkeyWorker()
        in_file.load([f"{folder}/direct.db", 128 << 20, True])
        at_server.load([url, "direct:"])
        here = {"SQLite": direct(in_file), "Valkey": direct(at_server)}
        for step, percent, values in steps_of(here, count, rounds):
            yield Figure(f"a step in this process, p{percent}", "µs", step, "less", values)
        in_file.close()
        with (
            closing(file_state(f"{folder}/state.db")) as file,
            closing(server_state(url, prefix="remote:")) as server,
        ):
            remotely = {"SQLite": remote(file), "Valkey": remote(server)}
            for step, percent, values in steps_of(remotely, count, rounds):
                for way, found in values.items():
                    goals = (Goal(GOALS_US[way]),) if percent == 50 else ()
                    measure, work = f"a step by a worker, p{percent}", f"{step}, {way}"
                    yield Figure(measure, "µs", work, "less", {OURS: found}, goals)
            held = {"SQLite": [memory(file)], "Valkey": [memory(server)]}
            yield Figure("memory of the processes behind", "MiB", "a filter's state", "less", held)


def main() -> int:
    """Measure; returns the exit status."""
    options = argparse.ArgumentParser(description="The state of filters, step by step.")
    options.add_argument("--count", type=int, default=1000, help="steps of each kind in a round")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    return finish("state", figures(chosen.count, chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
