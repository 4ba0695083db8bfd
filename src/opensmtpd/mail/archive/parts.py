"""The parts of copies on their way to the worker that writes them: memory for so many, no more."""

import asyncio
from collections.abc import Iterator

from opensmtpd.mail.archive import orders
from opensmtpd.worker import Pool

PARTS_MAX = 100
"""Parts on their way, at most, of all copies together."""


class PartWriter:
    """Hands parts to the worker, each when there is room for it: others wait."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._room = asyncio.Semaphore(PARTS_MAX)

    async def write(self, name: str, parts: Iterator[tuple[bytes, bool]]) -> None:
        """Write a copy; ``parts`` makes each part, and tells whether it is the last one.

        Raises WorkerError, and what ``parts`` raises.
        """
        at, last = 0, False
        while not last:
            await self._room.acquire()
            try:
                part, last = next(parts)
            except BaseException:
                self._room.release()
                raise
            await self._ask([orders.WRITE, name, at, part, last])
            at += len(part)

    async def _ask(self, order: list[object]) -> None:
        done: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

        def end(_: object, error: BaseException | None) -> None:
            self._room.release()  # not when nobody waits any more: the pool has the part until now
            if not done.done():
                done.set_result(error)

        self._pool.ask(order).on_end(end)
        error = await done
        if error is not None:
            raise error
