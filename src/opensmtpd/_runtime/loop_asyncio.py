"""The loop on asyncio: for plugins whose handlers are coroutines."""

import asyncio
from collections.abc import Generator
from functools import partial
from typing import Any

from opensmtpd._protocol.jobs import Job
from opensmtpd._runtime.loop import Loop

STARTS = 32
"""Coroutines that begin before smtpd is listened to again: each takes its time up to its first
await, and smtpd is not to wait for all of thousands that come at once."""


def serve_async(loop: Loop) -> None:
    """Serve until smtpd is gone. Raises SmtpdGone."""
    # Not asyncio.run: it would wait for tasks and threads when smtpd is gone.
    events = asyncio.new_event_loop()
    asyncio.set_event_loop(events)
    events.run_until_complete(_AsyncLoop(loop).serve())


class _AsyncLoop:
    """Makes asyncio watch the descriptors that the blocking loop polls."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.tasks: set[asyncio.Task[None]] = set()
        self.writing = False
        self.more = False
        """True while a call is scheduled that begins more coroutines."""
        self.timer: asyncio.TimerHandle | None = None
        self.gone: asyncio.Future[None] | None = None

    async def serve(self) -> None:
        events = asyncio.get_running_loop()
        self.gone = events.create_future()
        events.add_reader(self.loop.stdin, self.event, self.loop.read)
        events.add_reader(self.loop.wake, self.event, self.loop.drain_wake)
        self.event(lambda: None)
        await self.gone

    def event(self, first: Any) -> None:
        """Take an event: call ``first``, then do all that follows from it."""
        assert self.gone is not None
        if self.gone.done():
            return
        try:
            first()
            waiting = self.loop.step()
        except BaseException as error:  # SmtpdGone above all; the loop must not swallow others
            self.gone.set_exception(error)
            return
        self._start_coroutines()
        self._watch(waiting)
        self._set_timer()

    def _start_coroutines(self) -> None:
        events, waiting = asyncio.get_running_loop(), self.loop.coroutines
        jobs, self.loop.coroutines = waiting[:STARTS], waiting[STARTS:]
        if self.loop.coroutines and not self.more:
            self.more = True
            events.call_soon(self._start_more)
        for job in jobs:
            if job.cancelled:
                continue
            task = events.create_task(self._await(job))
            self.tasks.add(task)
            task.add_done_callback(partial(self._ended, job))
            job.when_cancelled(task.cancel)

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        assert not callable(job.task)
        job.task.close()  # one that was cancelled before its first step has never begun

    def _start_more(self) -> None:
        self.more = False
        self.event(lambda: None)

    async def _await(self, job: Job) -> None:
        try:
            result = await _Watched(self.loop, job)
        except BaseException as error:
            self.loop.guarded(self.loop.dispatcher.fail, job, error, otherwise=None)
        else:
            self.loop.guarded(self.loop.dispatcher.resolve, job, result, otherwise=None)
        self.event(lambda: None)

    def _watch(self, waiting: bool) -> None:
        if waiting == self.writing:
            return
        self.writing = waiting
        events = asyncio.get_running_loop()
        if waiting:
            events.add_writer(self.loop.stdout, self.event, lambda: None)
        else:
            events.remove_writer(self.loop.stdout)

    def _set_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        timeout = self.loop.timeout()
        if timeout is not None:
            events = asyncio.get_running_loop()
            self.timer = events.call_later(timeout, self.event, lambda: None)


class _Watched:
    """A coroutine whose every step the watchdog sees: one that blocks keeps smtpd waiting."""

    def __init__(self, loop: Loop, job: Job) -> None:
        self.loop, self.job = loop, job

    def __await__(self) -> Generator[Any, None, Any]:
        task = self.job.task
        assert not callable(task)
        error: BaseException | None = None
        while True:
            step = task.send if error is None else task.throw
            try:
                self.loop.watchdog.watch()
                future = self.loop.dispatcher.call("coroutine", step, error)
            except StopIteration as end:
                return end.value
            error = None
            try:
                yield future
            except BaseException as thrown:  # a cancellation above all: it is the coroutine's
                error = thrown
