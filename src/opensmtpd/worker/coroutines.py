"""A worker whose answers are coroutines: it waits for many servers at the same time."""

import asyncio
import resource
from concurrent.futures.thread import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from opensmtpd.worker.worker import Link, Worker

THREADS = 2
"""Threads for the names of hosts, at most: the C library reserves 72 MiB of memory for each, and
asyncio would start one more than there are processors."""
DESCRIPTORS = 65536
"""Descriptors that a worker may have, at most: each server that it waits for takes one."""


class CoroutineWorker(Worker):
    """A worker that has a task for each request, on an asyncio loop of its own.

    ``answer`` takes the place of ``handle``. A pool that asks it has a ``window`` as wide as
    requests are to be answered at the same time.
    """

    in_order = False
    imports = ("asyncio",)

    def begin(self) -> None:
        """Ask for descriptors for many connections."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        if soft < limit:
            with suppress(OSError, ValueError):  # the system's own limit may be lower
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))

    async def answer(self, request: Any) -> Any:
        """Return the reply to a request; an exception becomes the front's WorkerError."""
        raise NotImplementedError

    def serve(self, link: Link) -> None:
        """Answer all requests. Raises EOFError."""
        asyncio.run(_Service(self, link).run())


class _Service:
    """The requests of one worker, and the tasks that answer them."""

    def __init__(self, worker: CoroutineWorker, link: Link) -> None:
        self._worker, self._link = worker, link
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushing = False
        self._end: asyncio.Future[None]

    async def run(self) -> None:
        """Serve until the front is gone. Raises EOFError."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS))
        self._end = loop.create_future()
        loop.add_reader(self._link.fileno(), self._receive)
        await self._end

    def _receive(self) -> None:
        try:
            for number, request in self._link.receive():
                task = asyncio.get_running_loop().create_task(self._answer(number, request))
                self._tasks.add(task)  # a loop keeps weak references only
                task.add_done_callback(self._tasks.discard)
        except Exception as error:
            if not self._end.done():
                self._end.set_exception(error)

    async def _answer(self, number: int, request: Any) -> None:
        try:
            self._link.reply(number, await self._worker.answer(request))
        except Exception as error:
            self._link.fail(number, error)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send the replies of this turn of the loop together."""
        self._flushing = False
        with suppress(OSError):  # the front is gone, and reading tells it
            self._link.flush()
