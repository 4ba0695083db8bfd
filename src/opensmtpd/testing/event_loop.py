"""The asyncio loop of a test: one for all that a plugin waits for, as smtpd's child has one."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from opensmtpd import answer
from opensmtpd.errors import LocalError
from opensmtpd.testing.sources import watched


class _Lives(Protocol):
    """The part of a filter or a table that is called when it begins and when it ends."""

    def start(self) -> object: ...
    def stop(self) -> object: ...


P = TypeVar("P", bound=_Lives)


class EventLoop:
    """An asyncio loop that is made when it is first needed."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return the result of a coroutine. Raises its exception.

        Raises RuntimeError where another loop runs in this thread.
        """
        if _is_running():
            coroutine.close()
            raise RuntimeError("the test kit runs a loop of its own: call it outside of async def")
        if self._runner is None:
            # With a factory, so that the loop is not made that of the thread.
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        if not answer.sources():
            return self._runner.run(coroutine)
        with watched(self._runner.get_loop()):
            return self._runner.run(coroutine)

    def close(self) -> None:
        """Cancel the tasks that are left, and close the loop, where there is one."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None


def _is_running() -> bool:
    """Return whether an asyncio loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


SERVED: ContextVar[EventLoop | None] = ContextVar("SERVED", default=None)
"""The loop of the ``served`` that is under way, None without one."""


@contextmanager
def served(plugin: P) -> Iterator[P]:
    """Serve a filter or a table: call its ``start``, and its ``stop`` at the end of the block.

    Both, and all handlers that are called inside the block (by ``run_message``, ``ask``,
    ``Driver`` or ``replay``), run on one asyncio loop, so that they may share connections, locks
    and tasks. The loop runs only while one of them does. Timers are not called. ::

        with served(MyFilter()) as filter:
            assert run_message(filter).accepted

    Raises any exception of ``start`` and ``stop``, and LocalError where one returns anything but
    None or a coroutine. A plugin that did not start is not stopped. Not for use inside a running
    event loop.
    """
    outer = SERVED.get()
    events = outer or EventLoop()
    token = SERVED.set(events)
    try:
        _call(events, "start", plugin.start())
        try:
            yield plugin
        finally:
            _call(events, "stop", plugin.stop())
    finally:
        SERVED.reset(token)
        if outer is None:
            events.close()


def _call(events: EventLoop, name: str, result: object) -> None:
    if isinstance(result, Coroutine):
        result = events.run(result)
    if result is not None:
        raise LocalError(f"{name} returned a {type(result).__name__}")
