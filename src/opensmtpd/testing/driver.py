"""Moves bytes between a plugin and a model of smtpd, and runs the plugin's jobs at once."""

import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, Self

from opensmtpd.testing.event_loop import SERVED, EventLoop
from opensmtpd.testing.sources import take_next


class DriverJob(Protocol):
    """An answer in the making: a coroutine, or a function for a thread."""

    @property
    def task(self) -> Any:
        """The coroutine, or the function without parameters."""


class Jobs(Protocol):
    """The part of a ``Dispatcher`` that the kit needs."""

    def take_jobs(self) -> list[Any]:
        """Return the jobs to start now."""

    def resolve(self, job: Any, result: object) -> None:
        """Take a job's result."""

    def fail(self, job: Any, error: BaseException) -> None:
        """Take a job's exception."""

    def waiting(self) -> bool:
        """Return whether the end of any job is waited for."""


class Plugin(Protocol):
    """The part of a ``FilterConnection`` or a ``TableConnection`` that the kit needs."""

    @property
    def dispatcher(self) -> Jobs:
        """The jobs that the plugin's handlers leave."""

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from smtpd."""

    def data_to_send(self) -> bytes:
        """Return the next bytes for smtpd, ``b""`` for none."""


class Driver:
    """Drives ``plugin``; the bytes that it writes go to ``judge`` as they come.

    Coroutines and offloads are run to their end, in the order in which they are returned, in this
    thread, and the replies of workers are waited for; so not from inside a running event loop. All
    coroutines run on one asyncio loop, that of ``served`` inside such a block. Otherwise it is the
    driver's own, which ``close``, or the end of a ``with`` block around the driver, closes; without
    them, the end of the driver does.
    """

    def __init__(self, plugin: Plugin, judge: Callable[[bytes], None]) -> None:
        self.plugin = plugin
        self.now = 0.0
        """The clock that the plugin sees, in seconds; move it as you like."""
        self._judge = judge
        self._events = EventLoop()
        self._close = weakref.finalize(self, self._events.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel the tasks that the plugin left, and close the loop. The driver has no more use."""
        self._close()

    def feed(self, data: bytes) -> None:
        """Hand bytes to the plugin, and run all that follows from them."""
        self.plugin.receive(data, self.now)
        self.settle()

    def settle(self) -> None:
        """Run the plugin's jobs and pass on the bytes that it writes, until there are no more."""
        dispatcher = self.plugin.dispatcher
        while True:
            jobs = dispatcher.take_jobs()
            self._write()  # bytes that wait already are not held up
            for job in jobs:
                self._run(job)
            if not jobs and not (dispatcher.waiting() and take_next()):
                return

    def _run(self, job: DriverJob) -> None:
        try:
            result = job.task() if callable(job.task) else self._await(job.task)
        except (Exception, SystemExit) as error:
            self.plugin.dispatcher.fail(job, error)
        else:
            self.plugin.dispatcher.resolve(job, result)

    def _await(self, task: Coroutine[Any, Any, Any]) -> object:
        return (SERVED.get() or self._events).run(task)

    def _write(self) -> None:
        while data := self.plugin.data_to_send():
            self._judge(data)
