"""Steps that no signal comes between.

The handlers of this program raise an exception, between any two steps. Between the start of a
process and the assignment of its id, that would leave a process that nobody ends; between the
first and the last of several files that get their names, it would leave some of them.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Have SIGHUP, SIGINT and SIGTERM take effect at the end of the block, not inside.

    The signals are not blocked: a process that is started inside would inherit that. Ignored ones
    stay ignored. For the main thread only.
    """
    caught: list[int] = []
    handlers = {
        number: handler
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        if callable(handler := signal.getsignal(number))
    }
    for number in handlers:
        signal.signal(number, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if caught:
            signal.raise_signal(caught[0])
