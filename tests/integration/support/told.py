"""Wait for something that happens while mail goes on."""

import time
from collections.abc import Callable

from lab.peers.numbered import NumberedMail


def until(good: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not good():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.02)


def tells(load: NumberedMail, code: int) -> Callable[[], bool]:
    """Return what tells whether one more mail has ended with a reply."""
    before = list(load.told.values()).count(code)
    return lambda: list(load.told.values()).count(code) > before
