"""The life of a plugin around the serving of smtpd: its start, its timers, its stop."""

import sys
import time
from collections.abc import Callable, Iterator
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

from opensmtpd import log
from opensmtpd._protocol.dispatch import TASK, Dispatcher
from opensmtpd._runtime import watchdog
from opensmtpd.errors import LocalError, Unavailable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from opensmtpd._protocol.timers import TimedMethod

    class Plugin(Protocol):
        """The part of a filter or a table that is called when it begins and when it ends."""

        def start(self) -> object: ...
        def stop(self) -> object: ...


class LifeCycle:
    """Starts and stops a plugin, on asyncio where it needs that.

    ``events`` is the asyncio loop, None until it is made. ``on_asyncio`` becomes True when a
    coroutine has run on it: it may have left tasks.
    """

    def __init__(
        self, plugin: "Plugin", dispatcher: Dispatcher, watchdog: watchdog.Watchdog
    ) -> None:
        self.events: AbstractEventLoop | None = None
        self.on_asyncio = False
        self._plugin = plugin
        self._dispatcher = dispatcher
        self._watchdog = watchdog

    def prepare(self, coroutines: bool) -> None:
        """Make the asyncio loop now, for a plugin that may need it: ``coroutines`` says so.

        A plugin that has imported asyncio may need it, too. Whatever is imported, opened or made
        after smtpd has been answered ``ready`` may fail then, because the package has been upgraded
        or removed, or descriptors are short. asyncio takes 8 MB and 50 ms, so that no other plugin
        gets it.
        """
        if coroutines or "asyncio" in sys.modules:
            self.event_loop()

    def event_loop(self) -> "AbstractEventLoop":
        """Return the asyncio loop of the process; it is made when first asked for."""
        if self.events is None:
            from opensmtpd._runtime.loop_asyncio import new_loop  # noqa: PLC0415  see prepare

            self.events = new_loop(self._task_failed)
        return self.events

    def open_threads(self) -> None:
        """Start the first thread of asyncio, where its loop has been made.

        That is not done before the process has confined itself: on Linux, a thread keeps what it
        had when it was started.
        """
        if self.events is not None:
            from opensmtpd._runtime.loop_asyncio import start_thread  # noqa: PLC0415  see prepare

            start_thread(self.events)

    def _task_failed(self, _events: "AbstractEventLoop", context: dict[str, Any]) -> None:
        """Log a failure in a task of the plugin's own, which asyncio would print, text and all."""
        error = context.get("exception")
        if error is None:
            self._dispatcher.log("task-failed", reason=context["message"])
        else:
            self._dispatcher.log_failure(b"", TASK, error)

    def start(self, coroutines: bool) -> None:
        """Call the plugin's ``start`` and wait for its end; then its timers begin.

        ``coroutines`` tells whether the plugin has methods that are ``async def``.

        Raises the LocalError of a ``start`` that finds the configuration unusable: the program
        ends, as for any such error. Another failure, Unavailable included, is logged, and the
        program goes on: smtpd ends with its plugins, and a server that is down when the machine
        boots must not keep the whole mail server down. Each request that needs what is missing gets
        its one answer nevertheless.
        """
        self.prepare(coroutines)
        try:
            self._call("start", self._plugin.start, watchdog.RELOAD_STALL)
        except BaseException as error:  # see Dispatcher.dispatch
            if isinstance(error, LocalError) and not isinstance(error, Unavailable):
                self._dispatcher.log_traceback(error)
                raise
            self._dispatcher.log_failure(b"", "start", error, method=self._plugin.start)
        methods = list(_timed(self._plugin))
        if methods:
            from opensmtpd._protocol.timers import Timers  # noqa: PLC0415  few plugins have timers

            self._dispatcher.timers = Timers(methods, time.monotonic())

    def stop(self) -> None:
        """Call the plugin's ``stop`` and wait for its end, for STALL seconds; log its failure.

        The log has no limit any more: no client is there who could fill it.
        """
        log.limit(None)
        try:
            self._call("stop", self._plugin.stop, watchdog.STALL)
        except BaseException as error:  # see Dispatcher.dispatch
            self._dispatcher.log_failure(b"", "stop", error, method=self._plugin.stop)

    def _call(self, name: str, method: Callable[[], object], seconds: float) -> None:
        self._watchdog.watch()
        result = self._dispatcher.call(name, method)
        if isinstance(result, CoroutineType):
            events = self.event_loop()
            from opensmtpd._runtime.loop_asyncio import Watched, run_within  # noqa: PLC0415  see prepare

            self.on_asyncio = True
            run_within(events, Watched(self._watchdog, self._dispatcher, result, name), seconds)
        elif result is not None:
            raise LocalError(f"{name} returned a {type(result).__name__}")


def _timed(plugin: object) -> "Iterator[TimedMethod]":
    """Yield the methods that ``opensmtpd.timers.every`` has marked."""
    kind = type(plugin)
    for name in dir(kind):
        seconds = getattr(getattr(kind, name, None), "every_seconds", None)
        if isinstance(seconds, float):
            yield name, seconds, getattr(plugin, name)
