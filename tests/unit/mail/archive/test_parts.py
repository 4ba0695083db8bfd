"""Parts of copies wait for room, whatever becomes of those who wait."""

from collections.abc import Iterator

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.errors import WorkerError
from opensmtpd.mail.archive import orders, parts
from opensmtpd.mail.archive.parts import PartWriter


class SlowPool:
    """A pool whose worker does nothing until it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[object]] = []
        self.open: list[Deferred[object]] = []
        self.dead = False

    def ask(self, request: list[object]) -> Deferred[object]:
        self.asked.append(request)
        self.open.append(Deferred())
        if self.dead:
            self.open[-1].fail(WorkerError("the worker is being restarted"))
        return self.open[-1]


class Ends:
    """The ends of copies, by their names: True, or the exception."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer
        self.found: dict[str, object] = {}

    def write(self, name: str, parts: Iterator[tuple[bytes, bool]]) -> Deferred[WorkerError | None]:
        copy = self._writer.write(name, parts)
        copy.on_end(lambda value, error: self.found.update({name: error or value or True}))
        return copy


@pytest.fixture
def pool() -> SlowPool:
    return SlowPool()


@pytest.fixture
def ends(pool: SlowPool, monkeypatch: pytest.MonkeyPatch) -> Ends:
    monkeypatch.setattr(parts, "PARTS_MAX", 2)
    return Ends(PartWriter(pool))  # type: ignore[arg-type]


def two() -> Iterator[tuple[bytes, bool]]:
    yield b"abc", False
    yield b"de", True


def test_parts_follow_each_other(pool: SlowPool, ends: Ends) -> None:
    ends.write("x", two())
    assert pool.asked == [[orders.WRITE, "x", 0, b"abc", False]]
    pool.open[0].settle(True)
    assert pool.asked[1:] == [[orders.WRITE, "x", 3, b"de", True]]
    assert ends.found == {}
    pool.open[1].settle(True)
    assert ends.found == {"x": True}


def test_what_has_no_room_is_not_made(pool: SlowPool, ends: Ends) -> None:
    made: list[str] = []

    def one(name: str) -> Iterator[tuple[bytes, bool]]:
        made.append(name)
        yield b"", True

    for name in "abcd":
        ends.write(name, one(name))
    assert made == ["a", "b"]
    pool.open[0].fail(error := WorkerError("the disk is full"))
    assert made == ["a", "b", "c"]
    for each in (1, 2, 3):
        pool.open[each].settle(True)
    assert ends.found == {"a": error, "b": True, "c": True, "d": True}


def test_a_part_takes_its_room_until_the_worker_has_it(pool: SlowPool, ends: Ends) -> None:
    """Clients that go, one after another, must not fill the memory."""
    for number in range(4):
        ends.write(str(number), two()).cancel()
    assert len(pool.asked) == 2
    for each in list(pool.open):
        each.settle(True)
    ends.write("y", two())
    assert [asked[1] for asked in pool.asked] == ["0", "1", "y"]
    assert ends.found == {}


def test_a_part_that_cannot_be_made_takes_no_room(pool: SlowPool, ends: Ends) -> None:
    error = LookupError()

    def none() -> Iterator[tuple[bytes, bool]]:
        raise error
        yield b"", True

    for number in range(4):
        ends.write(str(number), none())
    assert ends.found == dict.fromkeys("0123", error)
    ends.write("y", two())
    assert len(pool.asked) == 1


def test_many_that_are_refused_at_once(pool: SlowPool, ends: Ends) -> None:
    for number in range(5000):
        ends.write(str(number), two())
    pool.dead = True
    pool.open[0].fail(WorkerError("late"))
    assert len(ends.found) == 4999
    pool.open[1].fail(WorkerError("late"))
    assert len(ends.found) == 5000
