"""The reload of a plugin at SIGHUP, in the loop or, where it reads files, in a thread."""

import signal
import time
from collections.abc import Callable
from types import CoroutineType, FrameType

from opensmtpd._protocol.dispatch import LATER, Dispatcher
from opensmtpd._runtime.threads import Threads
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import HandlerTimeout, LocalError, returned
from opensmtpd.log import log

HUNG_MAX = 4
"""Threads that hang at once before reloads are refused.

A file system that hangs keeps a thread for each reload, and they must not pile up.
"""


class Reload:
    """Calls a plugin's ``reload`` for SIGHUP; a failure is logged, and leaves the old state.

    Signals that come while a thread reads for it wait for its end, and count as one. Without a
    ``call`` the signal stays as it is.
    """

    def __init__(
        self,
        call: Callable[[], object] | None,
        dispatcher: Dispatcher,
        threads: Threads,
        watchdog: Watchdog,
    ) -> None:
        self._dispatcher = dispatcher
        self._threads = threads
        self._watchdog = watchdog
        self._hangup = self._running = False
        if call is not None:
            self._call = call
            signal.signal(signal.SIGHUP, self._on_hangup)

    def _on_hangup(self, _signal: int, _frame: FrameType | None) -> None:
        self._hangup = True

    def is_due(self) -> bool:
        """Return whether the signal has come, and no reload runs."""
        return self._hangup and not self._running

    def begin(self) -> None:
        """Call ``reload``, or have a thread do its work; one that comes late is a failure."""
        self._hangup, self._running = False, True
        dispatcher = self._dispatcher
        try:
            now = time.monotonic()
            hung = self._threads.stuck(now)
            if hung >= HUNG_MAX:
                raise LocalError(f"{hung} threads hang, which read for reloads before")
            self._watchdog.watch()
            result: object = dispatcher.call("reload", self._call)
            if isinstance(result, LATER) and not isinstance(result, CoroutineType):
                dispatcher.now = max(dispatcher.now, now)
                dispatcher.start(result, None, self._swap, self._failed)
                return
            if result is not None:  # an async def above all: it has done nothing
                raise LocalError(f"reload returned a {type(result).__name__}")
        except BaseException as error:  # sys.exit() in a plugin must not end the mail server
            self._failed(error)
        else:
            self._ended()

    def _swap(self, swap: object) -> None:
        """Call what the function of an Offload has returned. Raises LocalError."""
        if not callable(swap):
            raise LocalError(f"{returned(swap)} for reload, not a function")
        try:
            self._dispatcher.call("reload", swap)
        except BaseException as error:  # as above
            self._failed(error)
        else:
            self._ended()

    def _ended(self) -> None:
        self._running = False
        log("reloaded")

    def _failed(self, error: BaseException) -> None:
        self._running = False
        if isinstance(error, LocalError | HandlerTimeout):
            log("reload-failed", reason=error, kept="the old configuration")
        else:
            log("reload-failed", error=type(error).__name__, kept="the old configuration")
        self._dispatcher.log_traceback(error)
