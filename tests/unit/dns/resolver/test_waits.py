"""Waits: each ends once, with all replies or in time, and one that is dropped leaves nothing."""

from opensmtpd.dns import Absent, Failed, Question, Reply
from opensmtpd.dns.resolver import waits
from opensmtpd.dns.resolver.waits import GRAIN, Wait, Waits
from unit.support.dns_lab import PTR, A

ONE, TWO = Question("one", A), Question("two", PTR)


def give_up(wait: Wait) -> None:
    for question in list(wait.missing):
        wait.take(question, Failed("late"))


def ends(some: Waits) -> int:
    """End what is due, and tell how many."""
    due = list(some.ended())
    for settle in due:
        settle()
    return len(due)


def made(some: Waits, until: float) -> tuple[Wait, list[list[Reply]]]:
    wait, got = Wait([ONE, TWO, ONE], until), list[list[Reply]]()
    wait.deferred.on_end(lambda replies, _: got.append(replies))
    some.add(wait)
    return wait, got


def test_one_that_is_complete() -> None:
    some = Waits(give_up)
    wait, got = made(some, 7.0)
    assert some.next_deadline() == 7.0
    wait.take(ONE, Absent())
    wait.take(TWO, Failed("x"))
    some.end(wait)
    assert (some.next_deadline(), got) == (0.0, [])
    assert ends(some) == 1
    assert got == [[Absent(), Failed("x"), Absent()]]
    assert some.next_deadline() is None


def test_one_whose_time_is_over() -> None:
    some = Waits(give_up)
    wait, got = made(some, 7.0)
    made(some, 9.0)
    wait.take(ONE, Absent())
    some.expire(7.0 - GRAIN)
    assert ends(some) == 0
    some.expire(7.0)
    assert ends(some) == 1
    assert got == [[Absent(), Failed("late"), Absent()]]
    assert some.next_deadline() == 9.0


def test_ends_are_in_order_whatever_the_order_of_beginnings() -> None:
    some = Waits(give_up)
    for until in (9.0, 7.0, 8.0, float("inf"), -1.0):
        made(some, until)
    found = []
    while (due := some.next_deadline()) is not None and due < 1e9:
        some.expire(due)
        assert ends(some) == 1
        found.append(due)
    assert found == [-1.0, 7.0, 8.0, 9.0]


def test_one_that_is_dropped() -> None:
    some = Waits(give_up)
    wait, got = made(some, 7.0)
    some.drop(wait)
    assert some.next_deadline() is None
    some.expire(8.0)
    assert (ends(some), got, some._until) == (0, [], {})


def test_so_many_end_in_a_turn() -> None:
    some = Waits(give_up)
    for _ in range(waits.TURN + 5):
        made(some, 7.0)
    some.expire(7.0)
    assert ends(some) == waits.TURN
    assert some.next_deadline() == 0.0
    assert ends(some) == 5
