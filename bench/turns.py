"""Measures contestants in turn, round by round, and compares them round by round.

Two programs that are measured one after the other meet the same load of the machine; a ratio is
taken in each round, and the middle one of these counts.
"""

import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def take(runs: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure all contestants in each round; returns what each round found."""
    found: dict[str, list[T]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in turn(runs, number):
            found[name].append(runs[name]())
    return found


def turn(names: Iterable[str], number: int) -> list[str]:
    """Return the order of a round: every other one is the opposite."""
    found = list(names)
    return found[::-1] if number % 2 else found


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return the ratio of each round. Raises ValueError where they have not as many rounds."""
    return [our / their for our, their in zip(ours, theirs, strict=True)]


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


@contextmanager
def pinned(pids: Sequence[int], processors: set[int]) -> Iterator[None]:
    """Let this process, and all threads of others, run on these processors only."""
    before = os.sched_getaffinity(0)
    place([os.getpid(), *pids], processors)
    try:
        yield
    finally:
        place([os.getpid(), *pids], before)


def place(pids: Sequence[int], processors: set[int]) -> None:
    """Let all threads of processes run on these processors only."""
    for pid in pids:
        with suppress(OSError):  # it has ended
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), processors)
