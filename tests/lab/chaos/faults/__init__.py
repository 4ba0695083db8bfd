"""Each fault is a function in a module here: it strikes, pauses, and in the end undoes it all.

``@fault("name")`` in front of it puts it into the table. It is given the Stand and is a generator:
each ``yield`` tells how often it struck, and the clients go on meanwhile for ``pause`` seconds.
When its time is over it is closed, so what it has to undo stands behind ``finally``.
"""

from collections.abc import Callable, Generator
from typing import NamedTuple

from lab.chaos.stand import Stand

Strikes = Generator[int, None, None]


class Fault(NamedTuple):
    """A fault, and what is expected of it."""

    name: str
    strikes: Callable[[Stand], Strikes]
    pause: float
    """Seconds between two strikes."""
    stops_names: bool
    """Does it stop the name server, so that new sessions wait?"""


FAULTS: dict[str, Fault] = {}
"""All faults by their names, in the order in which they befall the server."""


def fault(
    name: str, pause: float = 0.2, *, stops_names: bool = False
) -> Callable[[Callable[[Stand], Strikes]], Callable[[Stand], Strikes]]:
    """Enter a generator function into FAULTS."""

    def enter(strikes: Callable[[Stand], Strikes]) -> Callable[[Stand], Strikes]:
        FAULTS[name] = Fault(name, strikes, pause, stops_names)
        return strikes

    return enter


from lab.chaos.faults import (  # noqa: E402  each enters its own
    clients,
    files,
    limits,
    names,
    package,
    rspamd,
    signals,
    state,
    valkey,
)

__all__ = ["FAULTS", "Fault", "Strikes", "clients", "fault", "files", "limits", "names", "package",
           "rspamd", "signals", "state", "valkey"]  # fmt: skip
