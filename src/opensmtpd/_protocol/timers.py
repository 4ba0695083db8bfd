"""The timers of a plugin, sans I/O: which methods are due at a time of any monotonic clock."""

from collections.abc import Callable, Iterable

TimedMethod = tuple[str, float, Callable[[], object]]
"""Name, seconds from one run to the next, and the method."""


class Timer:
    """A method that is called every so many seconds."""

    __slots__ = ("due", "late", "method", "missed", "name", "running", "seconds")

    def __init__(self, name: str, seconds: float, method: Callable[[], object], now: float) -> None:
        self.name = name
        self.seconds = seconds
        self.method = method
        self.due = now + seconds
        """The time of the next run."""
        self.running = False
        """True until the run that began last has ended."""
        self.missed = 0
        """Turns that have come while that run was under way."""
        self.late = False
        """True from the first turn that was missed to the first run that ends in time."""

    def pass_turn(self, now: float) -> None:
        """Move ``due`` behind ``now`` by whole periods: turns that were missed are not made up."""
        self.due += self.seconds * ((now - self.due) // self.seconds + 1)
        if self.due <= now:  # periods too short for the clock's digits
            self.due = now + self.seconds


class Timers:
    """All timers of a plugin; their first periods begin at ``now``."""

    def __init__(self, methods: Iterable[TimedMethod], now: float) -> None:
        self._timers = [Timer(*each, now) for each in methods]

    def next_due(self) -> float:
        """Return the time of the next run."""
        return min(timer.due for timer in self._timers)

    def take_due(self, now: float) -> list[Timer]:
        """Return the timers whose time has come; from now on they wait for their next turn."""
        due = [timer for timer in self._timers if timer.due <= now]
        for timer in due:
            timer.pass_turn(now)
        return due
