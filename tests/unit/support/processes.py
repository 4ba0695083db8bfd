"""Signals to processes that tests start, and events to wait for, however busy the machine is."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

PATIENCE = 120.0
"""Seconds to wait for an event that always comes."""


@contextmanager
def handler_of(number: int, handler: Callable[[int, object], None]) -> Iterator[None]:
    """Have a signal handled so in this process, and with its default action in new ones.

    nohup(1), and a shell that runs the tests behind &, have it ignored, in new processes too.
    """
    old = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, old if old is not None else signal.SIG_DFL)


def default_action(number: int) -> AbstractContextManager[None]:
    """Have new processes get the default action of a signal, even if the tests ignore it."""
    return handler_of(number, lambda number, frame: None)  # execve(2) resets what is caught


def written(path: Path) -> str:
    """Wait for a process to write a line into a file, and return it."""
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return path.read_text().strip()


def until(done: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def ended(pid: str) -> bool:
    """Return whether a process has ended; its new parent may not have noticed yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


CHECKED = "configuration OK" + (", read as root" if os.geteuid() == 0 else "")
"""What ``-n`` says of a configuration without fault, after the program's name and a colon."""
