"""The asyncio side of the runner: for filters whose handlers are coroutines."""

import asyncio
from typing import Any

from opensmtpd.run import Runner
from opensmtpd.work import Work


def serve_async(runner: Runner) -> None:
    """Serve until smtpd is gone. Raises SmtpdGone."""
    asyncio.run(_Loop(runner).serve())


class _Loop:
    """Has asyncio watch what the plain loop polls."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.tasks: set[asyncio.Task[None]] = set()
        self.writing = False
        self.timer: asyncio.TimerHandle | None = None
        self.gone: asyncio.Future[None] | None = None

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        self.gone = loop.create_future()
        loop.add_reader(self.runner.stdin, self.event, self.runner.read)
        loop.add_reader(self.runner.wake, self.event, self.runner.drain_wake)
        self.event(lambda: None)
        await self.gone

    def event(self, first: Any) -> None:
        """Something happened: do it and all that follows from it."""
        assert self.gone is not None
        if self.gone.done():
            return
        try:
            first()
            waiting = self.runner.step()
        except BaseException as error:  # SmtpdGone above all; the loop must not swallow others
            self.gone.set_exception(error)
            return
        self._start_coroutines()
        self._watch(waiting)
        self._set_timer()

    def _start_coroutines(self) -> None:
        works, self.runner.coroutines = self.runner.coroutines, []
        for work in works:
            task = asyncio.get_running_loop().create_task(self._await(work))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            work.when_cancelled(task.cancel)

    async def _await(self, work: Work) -> None:
        assert not callable(work.job)
        try:
            result = await work.job
        except BaseException as error:
            self.runner.protocol.fail(work, error)
        else:
            self.runner.protocol.resolve(work, result)
        self.event(lambda: None)

    def _watch(self, waiting: bool) -> None:
        if waiting == self.writing:
            return
        self.writing = waiting
        loop = asyncio.get_running_loop()
        if waiting:
            loop.add_writer(self.runner.stdout, self.event, lambda: None)
        else:
            loop.remove_writer(self.runner.stdout)

    def _set_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        patience = self.runner.patience()
        if patience is not None:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(patience, self.event, lambda: None)
