"""The parts of copies on their way to the worker that writes them: memory for so many, no more."""

from collections import deque
from collections.abc import Iterator
from functools import partial

from opensmtpd.answer import Deferred
from opensmtpd.errors import HandlerTimeout, WorkerError
from opensmtpd.mail.archive import orders
from opensmtpd.worker import Pool

PARTS_MAX = 100
"""Parts on their way, at most, of all copies together."""


class CopyInParts:
    """A copy that is being written."""

    def __init__(self, name: str, parts: Iterator[tuple[bytes, bool]]) -> None:
        self.name, self.parts, self.at = name, parts, 0
        self.given_up = False
        self.written: Deferred[WorkerError | None] = Deferred()
        self.written.on_cancel(self._give_up)

    def _give_up(self) -> None:
        self.given_up = True


class PartWriter:
    """Hands parts to the worker, each when there is room for it: others wait."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._room = PARTS_MAX
        self._waiting: deque[CopyInParts] = deque()
        self._going_on = False

    def write(self, name: str, parts: Iterator[tuple[bytes, bool]]) -> Deferred[WorkerError | None]:
        """Write a copy, and return None, or why that is not possible.

        ``parts`` makes each part, and tells whether it is the last one; it fails with what
        ``parts`` raises.
        """
        copy = CopyInParts(name, parts)
        self._waiting.append(copy)
        self._go_on()
        return copy.written

    def _go_on(self) -> None:
        if self._going_on:  # a pool that refuses a part does so at once: that must not nest
            return
        self._going_on = True
        try:
            while self._room and self._waiting:
                copy = self._waiting.popleft()
                if not copy.given_up:
                    self._next_part(copy)
        finally:
            self._going_on = False

    def _next_part(self, copy: CopyInParts) -> None:
        try:
            part, last = next(copy.parts)
        except (HandlerTimeout, Exception) as error:  # of a disk that hangs, say
            copy.written.fail(error)
            return
        self._room -= 1
        order = [orders.WRITE, copy.name, copy.at, part, last]
        copy.at += len(part)
        self._pool.ask(order).on_end(partial(self._end, copy, last))

    def _end(self, copy: CopyInParts, last: bool, _: object, error: BaseException | None) -> None:
        self._room += 1  # not when a copy is given up: the pool has the part until now
        if error is None and not last:
            self._waiting.append(copy)
        elif error is None or isinstance(error, WorkerError):
            copy.written.settle(error)
        else:
            copy.written.fail(error)
        self._go_on()
