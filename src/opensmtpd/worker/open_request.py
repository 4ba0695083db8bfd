"""A request of a front to a worker, from the time when it is asked to its end."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from opensmtpd.answer import Deferred
from opensmtpd.errors import WorkerError

DEATHS_MAX = 2
"""Workers that a request may kill before it is refused."""

Settlement: TypeAlias = Callable[[], object]
"""Settles a Deferred: see ``opensmtpd.answer.Source``."""


class OpenRequest:
    """A request that was asked; its ``deferred`` has one end."""

    __slots__ = ("deadline", "deaths", "deferred", "ended", "frame", "number")

    def __init__(self, number: int, frame: bytes, deadline: float) -> None:
        self.number = number
        self.frame = frame
        self.deadline = deadline
        self.deaths = 0
        """Workers that have died of it."""
        self.ended = False
        self.deferred: Deferred[Any] = Deferred()

    def settled(self, value: object) -> Settlement:
        """Return the function that ends it with a value."""
        self._end()
        return partial(self.deferred.settle, value)

    def failed(self, reason: str, kind: str = "") -> Settlement:
        """Return the function that ends it with a WorkerError."""
        self._end()
        return partial(self.deferred.fail, WorkerError(reason, kind))

    def _end(self) -> None:
        self.ended = True
        self.frame = b""  # there may be a password in it
