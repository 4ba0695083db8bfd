"""The asyncio side of the runner: for filters whose handlers are coroutines."""

import asyncio
from collections.abc import Generator
from functools import partial
from typing import Any

from opensmtpd.runner import Runner
from opensmtpd.work import Work

STARTS = 32
"""Coroutines that begin before smtpd is listened to again: each takes its time up to its first
await, and of thousands that come at once, nobody else is to wait for all."""


def serve_async(runner: Runner) -> None:
    """Serve until smtpd is gone. Raises SmtpdGone."""
    # Not asyncio.run: it would wait for tasks and threads when smtpd is gone.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_Loop(runner).serve())


class _Loop:
    """Has asyncio watch what the plain loop polls."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.tasks: set[asyncio.Task[None]] = set()
        self.writing = False
        self.more = False
        """Is there a call under way to begin more coroutines?"""
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
        loop, waiting = asyncio.get_running_loop(), self.runner.coroutines
        works, self.runner.coroutines = waiting[:STARTS], waiting[STARTS:]
        if self.runner.coroutines and not self.more:
            self.more = True
            loop.call_soon(self._start_more)
        for work in works:
            if work.cancelled:
                continue
            task = loop.create_task(self._await(work))
            self.tasks.add(task)
            task.add_done_callback(partial(self._ended, work))
            work.when_cancelled(task.cancel)

    def _ended(self, work: Work, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        assert not callable(work.job)
        work.job.close()  # one that was cancelled before its first step has never begun

    def _start_more(self) -> None:
        self.more = False
        self.event(lambda: None)

    async def _await(self, work: Work) -> None:
        try:
            result = await _Watched(self.runner, work)
        except BaseException as error:
            self.runner.survive(self.runner.protocol.fail, work, error, otherwise=None)
        else:
            self.runner.survive(self.runner.protocol.resolve, work, result, otherwise=None)
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


class _Watched:
    """A coroutine whose every step the watchdog sees: one that blocks has all of smtpd waiting."""

    def __init__(self, runner: Runner, work: Work) -> None:
        self.runner, self.work = runner, work

    def __await__(self) -> Generator[Any, None, Any]:
        job = self.work.job
        assert not callable(job)
        error: BaseException | None = None
        while True:
            step = job.send if error is None else job.throw
            try:
                self.runner.watchdog.watch()
                future = self.runner.protocol.calls.plain("coroutine", step, error)
            except StopIteration as end:
                return end.value
            error = None
            try:
                yield future
            except BaseException as thrown:  # a cancellation above all: it is the coroutine's
                error = thrown
