"""The loop on asyncio: for plugins whose handlers are coroutines."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures.thread import ThreadPoolExecutor
from functools import partial
from typing import Any

from opensmtpd._protocol.dispatch import TASK, Dispatcher
from opensmtpd._protocol.jobs import Job
from opensmtpd._runtime.loop import Loop
from opensmtpd._runtime.threads import block_signals
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import HandlerTimeout, LocalError

STARTS = 32
"""Coroutines that begin before smtpd is listened to again: each takes its time up to its first
await, and smtpd is not to wait for all of thousands that come at once."""


def new_loop(
    failed: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None],
) -> asyncio.AbstractEventLoop:
    """Return a new asyncio loop, the loop of this thread. ``failed`` is its exception handler."""
    events = asyncio.new_event_loop()
    asyncio.set_event_loop(events)
    events.set_exception_handler(failed)
    pool = ThreadPoolExecutor(thread_name_prefix="asyncio", initializer=block_signals)
    events.set_default_executor(pool)
    return events


def start_thread(events: asyncio.AbstractEventLoop) -> None:
    """Start the first thread behind ``asyncio.to_thread``, before it is needed."""
    with contextlib.suppress(RuntimeError):  # no thread to give now: it is asked again
        events.run_in_executor(None, int)


def serve_async(loop: Loop, events: asyncio.AbstractEventLoop) -> None:
    """Serve on ``events`` until smtpd is gone. Raises SmtpdGone."""
    _AsyncLoop(loop, events).serve()


def run_within(events: asyncio.AbstractEventLoop, steps: "Watched", seconds: float) -> None:
    """Run a coroutine to its end. Raises its exception, and HandlerTimeout after ``seconds``."""
    error = events.run_until_complete(_end_within(steps, seconds))
    if error is not None:
        raise error


async def _end_within(steps: "Watched", seconds: float) -> BaseException | None:
    task = asyncio.ensure_future(_end(steps))
    # Not wait_for: it waits without end for a coroutine that does not let itself be cancelled.
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        return task.result()
    task.cancel()
    return HandlerTimeout(f"no end within {seconds:g} s")


async def _end(steps: "Watched") -> BaseException | None:
    """Return the exception that ends a coroutine; asyncio would let a SystemExit through."""
    try:
        await steps
    except BaseException as error:
        return error
    return None


class _AsyncLoop:
    """Makes asyncio watch the descriptors that the blocking loop polls."""

    def __init__(self, loop: Loop, events: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.events = events
        self.tasks: set[asyncio.Task[None]] = set()
        self.writing = False
        self.short = False
        """True from the moment when memory ended until the loop has waited for more."""
        self.more = False
        """True while a call is scheduled that begins more coroutines."""
        self.timer: asyncio.TimerHandle | None = None
        self.end: BaseException | None = None
        """The exception that ends the serving, SmtpdGone above all."""

    def serve(self) -> None:
        self.loop.begin()
        self.events.add_reader(self.loop.stdin, self.event, self.loop.read)
        self.events.add_reader(self.loop.wake, self.event, self.loop.drain_wake)
        for fd in self.loop.sources.descriptors():
            self.events.add_reader(fd, self.event, partial(self.loop.sources.receive, fd))
        self.events.call_soon(self.event, lambda: None)
        try:
            while self.end is None:
                try:
                    self._run()
                except MemoryError:
                    self.short = True  # and nothing more: it would take memory
        finally:  # the plugin's stop may still need the loop, without these
            self.events.remove_reader(self.loop.stdin)
            self.events.remove_reader(self.loop.wake)
            for fd in self.loop.sources.descriptors():
                self.events.remove_reader(fd)
            self.events.remove_writer(self.loop.stdout)
        raise self.end

    def _run(self) -> None:
        """Run asyncio until smtpd is gone, or the plugin ends it: then the failure is logged.

        A task or a callback of the plugin's own may call ``sys.exit()``, which asyncio lets
        through, or stop the event loop. Not asyncio.run, nor a task of ours to wait for: a plugin
        that cancels all tasks would end it, and asyncio.run waits for tasks and threads.
        """
        if self.short:
            self.loop.rest()
        self.short = False
        try:
            self.events.run_forever()
            if self.end is None and not self.short:
                raise LocalError("the plugin stopped the event loop")
        except MemoryError:  # asyncio may have dropped a call of ours
            raise
        except BaseException as error:  # see Dispatcher.dispatch
            self.loop.dispatcher.log_failure(b"", TASK, error)

    def event(self, first: Any) -> None:
        """Take an event: call ``first``, then do all that follows from it."""
        if self.end is not None:
            return
        try:
            first()
            waiting = self.loop.step()
            self.loop.guarded(self._go_on, waiting, otherwise=None)
        except MemoryError:
            self.short = True
            self.events.stop()
        except BaseException as error:  # SmtpdGone above all; the loop must not swallow others
            self.end = error
            self.events.stop()

    def _go_on(self, waiting: bool) -> None:
        """Begin coroutines, and have asyncio call at the next event."""
        self._start_coroutines()
        self._watch(waiting)
        self._set_timer()

    def _start_coroutines(self) -> None:
        coroutines = self.loop.coroutines
        for _ in range(min(STARTS, len(coroutines))):
            job = coroutines.popleft()
            if job.cancelled:
                continue
            task = self.events.create_task(self._await(job))
            self.tasks.add(task)
            task.add_done_callback(partial(self._ended, job))
            job.when_cancelled(task.cancel)
        if coroutines and not self.more:
            self.events.call_soon(self._start_more)
            self.more = True

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        assert not callable(job.task)
        job.task.close()  # one that was cancelled before its first step has never begun

    def _start_more(self) -> None:
        self.more = False
        self.event(lambda: None)

    async def _await(self, job: Job) -> None:
        try:
            assert not callable(job.task)
            result = await Watched(self.loop.watchdog, self.loop.dispatcher, job.task, "coroutine")
        except BaseException as error:
            self.loop.guarded(self.loop.dispatcher.fail, job, error, otherwise=None)
        else:
            self.loop.guarded(self.loop.dispatcher.resolve, job, result, otherwise=None)
        self.event(lambda: None)

    def _watch(self, waiting: bool) -> None:
        if waiting == self.writing:
            return
        if waiting:
            self.events.add_writer(self.loop.stdout, self.event, lambda: None)
        else:
            self.events.remove_writer(self.loop.stdout)
        self.writing = waiting

    def _set_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        timeout = self.loop.timeout()
        if timeout is not None:
            self.timer = self.events.call_later(timeout, self.event, lambda: None)


class Watched:
    """A coroutine whose every step the watchdog sees: one that blocks keeps smtpd waiting.

    ``name`` is the name of a step for the watchdog.
    """

    def __init__(
        self,
        watchdog: Watchdog,
        dispatcher: Dispatcher,
        task: Coroutine[Any, Any, Any],
        name: str,
    ) -> None:
        self._watchdog = watchdog
        self._dispatcher = dispatcher
        self._task = task
        self._name = name

    def __await__(self) -> Generator[Any, None, Any]:
        task = self._task
        error: BaseException | None = None
        while True:
            step = task.send if error is None else task.throw
            try:
                self._watchdog.watch()
                future = self._dispatcher.call(self._name, step, error)
            except StopIteration as end:
                return end.value
            error = None
            try:
                yield future
            except BaseException as thrown:  # a cancellation above all: it is the coroutine's
                error = thrown
