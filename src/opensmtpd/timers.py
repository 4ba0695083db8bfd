"""Have a method of a filter or a table called every so many seconds, while smtpd is served.

::

    class Some(Filter):
        @every(60)
        async def refresh(self) -> None: ...
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from opensmtpd.answer import Offload
from opensmtpd.errors import LocalError

__all__ = ["every"]

M = TypeVar("M", bound=Callable[[Any], Offload[None] | Coroutine[Any, Any, None] | None])


def every(seconds: float) -> Callable[[M], M]:
    """Return a decorator for a method, plain or ``async def``, that takes no arguments.

    The first run begins ``seconds`` (above 0) after smtpd begins to be served. A plain method must
    not block. A run that is still under way when its time comes again is not started twice. Turns
    that pass while the process cannot run, a suspended machine say, are not made up: one run
    follows. A failure is logged with the method's name, and the next run comes in its turn. A
    subclass that overrides the method decorates its own. Raises LocalError for anything but a
    number of seconds.
    """
    if not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
        raise LocalError(f"write @every(SECONDS) with a number above 0, not {seconds!r}")

    def mark(method: M) -> M:
        if isinstance(method, classmethod | staticmethod):  # the mark would not be found
            raise LocalError(f"write @{type(method).__name__} above @every({seconds!r})")
        vars(method)["every_seconds"] = float(seconds)  # read by LifeCycle
        return method

    return mark
