"""The sources that a loop waits for besides smtpd: pools of worker processes above all."""

import time
from collections.abc import Callable, Iterable

from opensmtpd import answer
from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.failures import place
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.log import log

REPLY = "reply"
"""The name, for the watchdog, of the code that runs when a Deferred is settled."""


class Sources:
    """The sources that are registered in ``opensmtpd.answer``, found by descriptor."""

    def __init__(self, dispatcher: Dispatcher, watchdog: Watchdog) -> None:
        self._dispatcher = dispatcher
        self._watchdog = watchdog
        self._sources = {source.fileno(): source for source in answer.sources()}

    def descriptors(self) -> Iterable[int]:
        """Return the descriptors to poll for reading."""
        return self._sources.keys()

    def receive(self, fd: int) -> None:
        """Take what has come at a descriptor, if it is one of these. Raises MemoryError."""
        source = self._sources.get(fd)
        if source is not None:
            self._call(source.receive)

    def next_deadline(self, other: float | None) -> float | None:
        """Return the earlier one of ``other`` and the time when ``expire`` is to be called."""
        for source in self._sources.values():
            due = source.next_deadline()
            if due is not None and (other is None or due < other):
                other = due
        return other

    def expire(self) -> None:
        """Do what is due. Raises MemoryError, and then it is to be called again."""
        now = time.monotonic()
        for source in self._sources.values():
            due = source.next_deadline()
            if due is not None and due <= now:
                self._call(source.expire, now)

    def flush(self) -> None:
        """Send what was asked in this turn of the loop."""
        for source in self._sources.values():
            source.flush()

    def _call(self, take: Callable[..., Iterable[Callable[[], object]]], *args: float) -> None:
        """Settle what ``take`` returns. A failure is a bug of ours, and must not end smtpd."""
        self._watchdog.watch()
        try:
            for settle in take(*args):
                self._dispatcher.now = max(self._dispatcher.now, time.monotonic())
                self._settle(settle)
        except MemoryError:
            raise
        except Exception as error:
            log("internal-error", error=type(error).__name__, at=place(error))
            self._dispatcher.log_traceback(error)

    def _settle(self, settle: Callable[[], object]) -> None:
        try:
            self._dispatcher.call(REPLY, settle)
        except MemoryError:  # the request is refused when it is late
            log("internal-error", error="MemoryError", at=REPLY)
        except BaseException as error:  # HandlerTimeout above all
            self._dispatcher.log_failure(b"", REPLY, error)
