"""A planted fault, and what ``check`` has to say of it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from integration.check.ground import CONF, Ground

Base = Literal["guide", "sqlite"]
FILTER = 'filter "dkimsign"'
"""How the line of the guide's filter begins."""


class Fault(NamedTuple):
    """One thing that is wrong with a server that was good."""

    title: str
    plant: Callable[[Ground], object]
    code: str
    """Of the finding."""
    said: tuple[str, ...]
    """Words of its sentence."""
    remedy: str
    """Words of its remedy."""
    at: str = ""
    """How the line begins that it names; "" where it names none."""
    path: str = CONF
    """The file that it names; "" where it names none."""
    severity: Literal["error", "warning"] = "error"
    also: tuple[str, ...] = ()
    """Codes of what follows from the fault, and may be said as well."""
    base: Base = "guide"
    """Which good server it is planted in: the guide's own, or the one with its tables in SQLite."""


def change(old: str, new: str, path: str = CONF) -> Callable[[Ground], None]:
    """Return what replaces a text of a file."""
    return lambda ground: ground.change(old, new, path)


def add(path: str, lines: str) -> Callable[[Ground], None]:
    """Return what appends lines to a file."""
    return lambda ground: ground.add(path, lines)


def sh(command: str) -> Callable[[Ground], None]:
    """Return what runs a command in the view."""
    return lambda ground: ground.sh(command)


def both(*plants: Callable[[Ground], object]) -> Callable[[Ground], None]:
    """Return what does all of these."""

    def plant(ground: Ground) -> None:
        for each in plants:
            each(ground)

    return plant


def record(name: str, kind: str, *texts: str) -> Callable[[Ground], None]:
    """Return what gives the DNS these records in the place of all of the kind; none: removes."""

    def plant(ground: Ground) -> None:
        ground.zone.pop((name, kind), None)
        if texts:
            ground.zone[name, kind] = list(texts)

    return plant
