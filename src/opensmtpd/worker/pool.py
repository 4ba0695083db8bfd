"""Pools: what a plugin asks, instead of doing what can crash, hang or leak itself."""

import os
import selectors
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from opensmtpd import answer
from opensmtpd.answer import Deferred
from opensmtpd.errors import ConfigError, LocalError, WorkerError
from opensmtpd.worker.crew import WINDOW, Crew
from opensmtpd.worker.ends import WorkerEnd, reap
from opensmtpd.worker.frames import pack
from opensmtpd.worker.launch import launch
from opensmtpd.worker.loading import Loading
from opensmtpd.worker.open_request import OpenRequest, Settlement
from opensmtpd.worker.worker import Worker

DEADLINE = 5.0
"""Seconds until a request is refused, and its worker killed."""
CATCH_UP = 0.1
"""Seconds after which the end of an idle process is seen, at the latest, while requests come."""
QUEUE = 1000
"""Requests without an answer, at most: over it, they are refused at once."""


class Pool:
    """Worker processes that answer requests, and are replaced when they die or hang.

    Make it before smtpd is served: in ``__init__`` or ``start`` of a filter or a table. The
    process that smtpd talks to never waits for it, but in ``request``.
    """

    def __init__(
        self,
        worker: str | type[Worker],
        setup: object = None,
        *,
        count: int = 1,
        deadline: float = DEADLINE,
        queue: int = QUEUE,
        window: int = WINDOW,
    ) -> None:
        """Start ``count`` workers of a class, and wait until its ``load(setup)`` has returned.

        ``worker`` is the class, or ``"MODULE:CLASS"``, so that this process need not import what
        the worker does. ``deadline`` is in seconds. A worker has ``window`` requests at a time, at
        most. Raises ConfigError, above all that of ``load``.
        """
        self._count = count
        self._deadline = deadline
        self._queue = queue
        self._window = window
        self._number = 0
        self._caught_up = 0.0
        self._selector = selectors.DefaultSelector()
        self._retired: list[Crew] = []
        loading = Loading(launch(worker if isinstance(worker, str) else _name(worker)))
        try:
            self.loaded: Any = loading.load(setup)
        except ConfigError:
            loading.close()
            self._selector.close()
            raise
        self._crew = self._crew_of(loading)
        answer.register(self)

    def _crew_of(self, loading: Loading) -> Crew:
        assert loading.stem is not None
        stem, loading.stem = loading.stem, None
        return Crew(
            stem,
            self._selector,
            self._count,
            in_order=loading.in_order,
            window=self._window,
        )

    # --- requests -------------------------------------------------------------------------------

    def ask(self, request: object) -> Deferred[Any]:
        """Return a Deferred for the reply, which may be the answer of a handler.

        It fails with WorkerError where a worker fails, dies twice, is late, or too many ask.
        """
        asked = self._ask(request)
        if isinstance(asked, OpenRequest):
            return asked.deferred
        failed: Deferred[Any] = Deferred()
        failed.fail(asked)
        return failed

    def request(self, request: object, deadline: float | None = None) -> Any:
        """Return the reply, and wait for it: for tables, whose smtpd waits anyway.

        Raises WorkerError, after ``deadline`` seconds at the latest, by default those of the pool.
        A late one costs its worker; the others that this had are asked of the next.
        """
        if time.monotonic() >= self._caught_up + CATCH_UP:
            self._catch_up()
            self._caught_up = time.monotonic()
        worker = None if self._retired else self._crew.free
        if worker is not None:
            return self._request_of(worker, request, deadline)
        self._catch_up()
        asked = self._ask(request, deadline)
        if isinstance(asked, WorkerError):
            raise asked
        return self._end_of(asked)

    def _request_of(self, worker: WorkerEnd, request: object, deadline: float | None) -> Any:
        """Ask a worker that has nothing else to do: this takes half of the time."""
        self._number += 1
        number = self._number
        try:
            frame = pack([number, request])
        except LocalError as error:
            raise WorkerError(str(error)) from None
        seconds = self._deadline if deadline is None else deadline
        until = time.monotonic() + seconds
        outcome = None
        try:
            outcome = worker.ask(number, frame, seconds)
        finally:  # HandlerTimeout, too, leaves a request whose answer is still to come
            if outcome is None:
                asked = OpenRequest(number, frame, until)
                self._crew.adopt(worker, asked)
        if outcome is None:
            for settle in self._crew.receive(worker):
                settle()
            return self._end_of(asked)
        value, failure = outcome
        if failure is not None:
            raise failure
        return value

    def _end_of(self, asked: OpenRequest) -> Any:
        """Wait for the end of a request. Raises WorkerError."""
        ends: list[tuple[Any, BaseException | None]] = []
        asked.deferred.on_end(lambda *end: ends.append(end))
        while not ends:
            due = self.next_deadline()
            timeout = None if due is None else max(0.0, due - time.monotonic()) + 0.001
            self._crew.flush()
            self._catch_up(timeout)
        value, error = ends[0]
        if error is not None:
            raise error
        return value

    def _catch_up(self, timeout: float | None = 0) -> None:
        """Take what has come, or comes within ``timeout`` seconds, and do what is due."""
        for settle in self._take(timeout):
            settle()
        now, due = time.monotonic(), self.next_deadline()
        if due is not None and due <= now:
            for settle in self.expire(now):
                settle()

    def _ask(self, request: object, deadline: float | None = None) -> OpenRequest | WorkerError:
        if self._crew.restarting:
            return WorkerError("the worker is being restarted")
        if self._crew.size >= self._queue:
            return WorkerError(f"{self._queue} requests wait for a worker")
        self._number += 1
        try:
            frame = pack([self._number, request])
        except LocalError as error:
            return WorkerError(str(error))
        seconds = self._deadline if deadline is None else deadline
        asked = OpenRequest(self._number, frame, time.monotonic() + seconds)
        self._crew.add(asked)
        return asked

    def replace(self) -> Iterator[Settlement]:
        """Kill the workers, which do not answer: others are asked what they were asked."""
        for crew in (self._crew, *self._retired):
            yield from crew.replace(time.monotonic())

    # --- reload ---------------------------------------------------------------------------------

    def copy(self) -> Loading:
        """Return a copy of the stem, to load data anew, while the workers go on with the old.

        Raises LocalError where no stem is left.
        """
        stem = self._crew.stems.copy()
        if stem is None:
            raise LocalError("no process is left to load anew; restart smtpd")
        return Loading(stem)

    def use(self, loading: Loading) -> None:
        """Put a stem that has loaded in the place of the old one, for all requests from now on.

        The old workers end when they have answered what they were asked before.
        """
        crew = self._crew_of(loading)
        self._retired.append(self._crew)
        self._crew = crew
        self._clear()

    def reload(self, setup: object) -> Any:
        """Have ``setup`` loaded, wait for it, use it, and return what ``load`` returns.

        Raises LocalError, and then nothing has changed.
        """
        loading = self.copy()
        try:
            loaded = loading.load(setup)
            self.use(loading)
        finally:
            loading.close()
        self.loaded = loaded
        return loaded

    def _clear(self) -> None:
        """End the crews that have nothing left to do, and forget processes that have ended."""
        for crew in [each for each in self._retired if each.idle]:
            crew.close()
            self._retired.remove(crew)
        reap()

    # --- Source ---------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when anything comes from a process, and when
        one takes the rest of what it was sent.
        """
        return self._selector.fileno()

    def receive(self) -> Iterable[Settlement]:
        """Take all that has come."""
        return self._take(0)

    def _take(self, timeout: float | None) -> Iterator[Settlement]:
        for key, _ in self._selector.select(timeout):
            yield from key.data.receive(key.fileobj)
        self._clear()

    def expire(self, now: float) -> Iterator[Settlement]:
        """Refuse what is late, and replace what does not answer."""
        for crew in (self._crew, *self._retired):
            yield from crew.expire(now)
        self._clear()

    def next_deadline(self) -> float | None:
        """Return the time when ``expire`` is to be called."""
        if not self._retired:  # a table asks for it at each request
            return self._crew.next_deadline()
        times = [crew.next_deadline() for crew in (self._crew, *self._retired)]
        return min((each for each in times if each is not None), default=None)

    def flush(self) -> None:
        """Send the requests of this turn."""
        self._crew.flush()

    def close(self) -> None:
        """End all processes; requests without an answer fail."""
        answer.unregister(self)
        ends = [settle for crew in (self._crew, *self._retired) for settle in crew.close()]
        with suppress(OSError):
            self._selector.close()
        for settle in ends:
            settle()

    def __del__(self) -> None:
        """End the processes of a pool that nobody keeps any more."""
        with suppress(Exception):  # it may not have been made
            for crew in (self._crew, *self._retired):
                crew.close()
            self._selector.close()


def _name(worker: type[Worker]) -> str:
    """Return the name by which a stem imports the class: that of its file for a program's own."""
    if worker.__module__ != "__main__":
        return f"{worker.__module__}:{worker.__qualname__}"
    path = getattr(sys.modules["__main__"], "__file__", None)
    if path is None:
        raise ConfigError(f"{worker.__name__} stands in no file that a worker could read")
    return f"{os.path.abspath(path)}:{worker.__qualname__}"
