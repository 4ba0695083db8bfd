"""The results that a handler may return: the answer, a coroutine, work for a thread, a Deferred.

A Deferred is settled by a Source: something with a descriptor, such as a pool of worker processes,
which the loop of the process waits for.
"""

import weakref
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from opensmtpd.errors import DecisionError

__all__ = ["Answer", "Deferred", "Offload"]

T = TypeVar("T")
U = TypeVar("U")


T_co = TypeVar("T_co", covariant=True)


class Offload(Generic[T_co]):
    """A function for a thread to call; the value that it returns is the answer.

    For CPU work that releases the GIL (hashes of large data). ``function`` takes no arguments and
    must touch nothing that the handlers touch. Raises DecisionError for an object that cannot be
    called.
    """

    __slots__ = ("after", "function")

    def __init__(self, function: Callable[[], T_co]) -> None:
        if not callable(function):
            raise DecisionError(f"a {type(function).__name__} is no work for a thread")
        self.function = function
        self.after: tuple[Callable[[Any], object], ...] = ()
        """Functions that are called with the value in turn, where handlers are called."""

    def then(self, function: "Callable[[T_co], U | Deferred[U]]") -> "Offload[U]":
        """Return an Offload for what ``function`` returns, which is called with the value.

        It is called where handlers are, not in the thread, so that it may ask a worker.
        """
        result: Offload[Any] = Offload(self.function)
        result.after = (*self.after, function)
        return result


class Deferred(Generic[T_co]):
    """An answer that comes later, from another process say: a value, or an exception.

    It has one end: ``settle`` or ``fail``; a second one is ignored. Where nobody waits for the end
    any more, ``cancel`` stops the work behind it. It may also be awaited, on asyncio.
    """

    __slots__ = ("_calls", "_end", "_stop")

    def __init__(self) -> None:
        self._end: tuple[Any, BaseException | None] | None = None
        self._calls: list[Callable[[Any, BaseException | None], object]] = []
        self._stop: Callable[[], object] | None = None

    def settle(self, value: Any) -> None:
        """End with a value."""
        self._finish(value, None)

    def fail(self, error: BaseException) -> None:
        """End with an exception."""
        self._finish(None, error)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        if self._end is None:
            self._end, self._stop = (value, error), None
            calls, self._calls = self._calls, []
            for call in calls:
                call(value, error)

    def on_end(self, call: Callable[[Any, BaseException | None], object]) -> None:
        """Have ``call`` called with the value and the exception, one of which is None, at the end.

        It is called now if the end has come. It must not raise.
        """
        if self._end is None:
            self._calls.append(call)
        else:
            call(*self._end)

    def cancel(self) -> None:
        """Wait for the end no more: nothing that was to be called is called, the work may stop.

        The engine does so when the session ends for which a handler has returned this.
        """
        stop, self._stop = self._stop, None
        self._calls.clear()
        if stop is not None:
            stop()

    def on_cancel(self, stop: Callable[[], object]) -> None:
        """Have ``stop`` called if nobody waits for the end any more. It must not raise."""
        if self._end is None:
            self._stop = stop

    def then(self, function: "Callable[[T_co], U | Deferred[U]]") -> "Deferred[U]":
        """Return a Deferred for what ``function`` returns, which is called with the value.

        An exception of either is the exception of the new one. ``function`` may return a Deferred.
        """
        result: Deferred[U] = Deferred()
        result.on_cancel(self.cancel)

        def go_on(value: Any, error: BaseException | None) -> None:
            if error is not None:
                result.fail(error)
                return
            try:
                found = function(value)
            except BaseException as failure:  # a sys.exit() in a plugin must not end the process
                result.fail(failure)
                return
            if isinstance(found, Deferred):
                result.on_cancel(found.cancel)
                found.on_end(result._finish)
            else:
                result.settle(found)

        self.on_end(go_on)
        return result

    def __await__(self) -> Generator[Any, None, T_co]:
        import asyncio  # noqa: PLC0415  only where there is a loop

        future: asyncio.Future[T_co] = asyncio.get_running_loop().create_future()

        def take(value: Any, error: BaseException | None) -> None:
            if future.done():  # cancelled
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        self.on_end(take)
        try:
            return (yield from future)
        finally:
            self.cancel()


Answer: TypeAlias = T | Offload[T] | Deferred[T] | Coroutine[Any, Any, T]
"""The result of a handler: the answer, an Offload, a Deferred, or a coroutine (``async def``)."""


class Source(Protocol):
    """Something that settles Deferreds when its descriptor becomes readable, or when time passes.

    The loop of the process polls each Source that is registered. No method waits. The functions
    that ``receive`` and ``expire`` return are called by the loop, one after another, where its
    watchdog sees them: each settles a Deferred, and so runs code of the plugin.
    """

    def fileno(self) -> int:
        """Return the descriptor to poll for reading, the same one always."""

    def receive(self) -> Iterable[Callable[[], object]]:
        """Take all that has come."""

    def expire(self, now: float) -> Iterable[Callable[[], object]]:
        """Do what is due at ``now``, in seconds of ``time.monotonic``."""

    def next_deadline(self) -> float | None:
        """Return the time when ``expire`` is to be called, None for never."""

    def flush(self) -> None:
        """Send what was asked since the last call: the loop has nothing more to do now."""


_registered: list[weakref.ref[Source]] = []


def register(source: Source) -> None:
    """Have the loop of this process wait for ``source``; to be called before smtpd is served.

    The plugin must keep it: it is not kept here, so that one of a test ends with its plugin.
    """
    _registered.append(weakref.ref(source))


def unregister(source: Source) -> None:
    """Have the loop wait for ``source`` no more; one that is not registered is ignored."""
    _registered[:] = [each for each in _registered if each() not in (source, None)]


def sources() -> list[Source]:
    """Return the sources that the loop of this process waits for."""
    return [source for each in _registered if (source := each()) is not None]
