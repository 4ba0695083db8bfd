"""Moves bytes between a filter and whoever plays smtpd, and runs the filter's work at once."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Job(Protocol):
    """An answer in the making: a coroutine, or a function for a thread."""

    @property
    def task(self) -> Any:
        """The coroutine, or the function without parameters."""


class Plugin(Protocol):
    """What the kit needs of a ``FilterConnection``."""

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from smtpd."""

    def data_to_send(self) -> bytes:
        """Return the next bytes for smtpd, ``b""`` for none."""

    def take_jobs(self) -> list[Any]:
        """Return the work that is to be started."""

    def resolve(self, job: Any, result: object) -> None:
        """Take a work's result."""

    def fail(self, job: Any, error: BaseException) -> None:
        """Take a work's exception."""


class Driver:
    """Drives ``plugin``; what it writes goes to ``judge`` as it comes.

    Coroutines and offloads are run to their end, in the order in which they are returned, in this
    thread; so not from inside a running event loop.
    """

    def __init__(self, plugin: Plugin, judge: Callable[[bytes], None]) -> None:
        self.plugin = plugin
        self.now = 0.0
        """The clock that the filter sees, in seconds; move it as you like."""
        self._judge = judge

    def feed(self, data: bytes) -> None:
        """Hand bytes to the filter and see all that follows through."""
        self.plugin.receive(data, self.now)
        self.settle()

    def settle(self) -> None:
        """Run what work there is and pass on what the filter writes, until it is silent."""
        while jobs := self.plugin.take_jobs():
            self._write()  # what is said meanwhile is not held up
            for job in jobs:
                self._run(job)
        self._write()

    def _run(self, job: Job) -> None:
        try:
            result = job.task() if callable(job.task) else asyncio.run(job.task)
        except (Exception, SystemExit) as error:
            self.plugin.fail(job, error)
        else:
            self.plugin.resolve(job, result)

    def _write(self) -> None:
        while data := self.plugin.data_to_send():
            self._judge(data)
