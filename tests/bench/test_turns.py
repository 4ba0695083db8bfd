"""Contestants take turns; the arithmetic of rounds is that of literal numbers."""

import os
import threading

import pytest

from bench import turns


def test_each_round_has_all_and_every_other_one_the_opposite_order() -> None:
    order: list[str] = []

    def run(name: str) -> int:
        order.append(name)
        return len(order)

    found = turns.take({"C": lambda: run("C"), "ours": lambda: run("ours")}, 3)
    assert order == ["C", "ours", "ours", "C", "C", "ours"]
    assert found == {"C": [1, 4, 5], "ours": [2, 3, 6]}


def test_ratios_are_taken_round_by_round() -> None:
    assert turns.ratios([4, 9], [2, 3]) == [2, 3]
    with pytest.raises(ValueError, match="argument 2 is longer"):
        turns.ratios([1], [1, 2])


def test_medians_and_percentiles() -> None:
    assert turns.middle([3, 1, 2]) == 2
    assert turns.middle([4, 1, 2, 3]) == 2.5
    hundred = list(range(100, 0, -1))
    assert [turns.percentile(hundred, each) for each in (50, 99, 100)] == [50, 99, 100]
    assert turns.percentile([7], 99) == 7


def test_all_threads_are_pinned_and_let_go() -> None:
    before = os.sched_getaffinity(0)
    one, seen, go = {min(before)}, [], threading.Event()

    def other() -> None:
        go.wait()
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=other)
    thread.start()
    with turns.pinned([], one):
        assert os.sched_getaffinity(0) == one
        go.set()
        thread.join()
    assert seen == [one]
    assert os.sched_getaffinity(0) == before


def test_a_process_that_has_ended_is_passed_over() -> None:
    turns.place([1 << 30], os.sched_getaffinity(0))
