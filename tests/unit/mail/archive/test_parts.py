"""Parts of copies wait for room, whatever becomes of those who wait."""

import asyncio
from collections.abc import Iterator

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.errors import WorkerError
from opensmtpd.mail.archive import orders, parts
from opensmtpd.mail.archive.parts import PartWriter


class Pool:
    """A pool whose worker does nothing until it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[object]] = []
        self.open: list[Deferred[object]] = []

    def ask(self, request: list[object]) -> Deferred[object]:
        self.asked.append(request)
        self.open.append(Deferred())
        return self.open[-1]


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def writer(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> PartWriter:
    monkeypatch.setattr(parts, "PARTS_MAX", 2)
    return PartWriter(pool)  # type: ignore[arg-type]


def two() -> Iterator[tuple[bytes, bool]]:
    yield b"abc", False
    yield b"de", True


async def turn() -> None:
    """Have all go on that can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_parts_follow_each_other(pool: Pool, writer: PartWriter) -> None:
    async def scene() -> None:
        task = asyncio.ensure_future(writer.write("x", two()))
        await turn()
        assert pool.asked == [[orders.WRITE, "x", 0, b"abc", False]]
        pool.open[0].settle(True)
        await turn()
        assert pool.asked[1:] == [[orders.WRITE, "x", 3, b"de", True]]
        pool.open[1].settle(True)
        await task

    asyncio.run(scene())


def test_what_has_no_room_is_not_made(pool: Pool, writer: PartWriter) -> None:
    made: list[str] = []

    def one(name: str) -> Iterator[tuple[bytes, bool]]:
        made.append(name)
        yield b"", True

    async def scene() -> None:
        tasks = [asyncio.ensure_future(writer.write(name, one(name))) for name in "abcd"]
        await turn()
        assert made == ["a", "b"]
        pool.open[0].fail(WorkerError("the disk is full"))
        await turn()
        assert made == ["a", "b", "c"]
        for each in (1, 2, 3):
            pool.open[each].settle(True)
            await turn()
        assert [type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)] == [
            *(WorkerError, type(None), type(None), type(None)),
        ]

    asyncio.run(scene())


def test_a_part_takes_its_room_until_the_worker_has_it(pool: Pool, writer: PartWriter) -> None:
    """Clients that go, one after another, must not fill the memory."""

    async def scene() -> None:
        for _ in range(4):
            task = asyncio.ensure_future(writer.write("x", two()))
            await turn()
            task.cancel()
            await turn()
        assert len(pool.asked) == 2
        for each in pool.open:
            each.settle(True)
        task = asyncio.ensure_future(writer.write("y", two()))
        await turn()
        assert len(pool.asked) == 3
        task.cancel()

    asyncio.run(scene())


def test_a_part_that_cannot_be_made_takes_no_room(pool: Pool, writer: PartWriter) -> None:
    def none() -> Iterator[tuple[bytes, bool]]:
        raise LookupError
        yield b"", True

    async def scene() -> None:
        for _ in range(4):
            with pytest.raises(LookupError):
                await writer.write("x", none())
        task = asyncio.ensure_future(writer.write("y", two()))
        await turn()
        assert len(pool.asked) == 1
        task.cancel()

    asyncio.run(scene())
