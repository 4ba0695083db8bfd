"""Somebody who may write to a directory, and exchanges what is there while root works in it.

What root is about to do is told by Python's audit events, before it happens: so the exchange can
come at each step, and no test has to win a race.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
_EVENTS = frozenset(
    [
        *("open", "os.chmod", "os.chown", "os.link", "os.listdir", "os.mkdir", "os.remove"),
        *("os.rename", "os.rmdir", "os.symlink", "os.truncate", "sqlite3.connect"),
    ]
)

_watch: list[Callable[[], None]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watch and event in _EVENTS and not _of_python(arguments[:1]):
        _watch[0]()


sys.addaudithook(_hook)


def _of_python(arguments: tuple[object, ...]) -> bool:
    """Tell whether a file is a module that is imported meanwhile."""
    return str(arguments and arguments[0]).endswith((".py", ".pyc"))


@contextmanager
def at_step(number: int, move: Callable[[], None]) -> Iterator[list[int]]:
    """Make a move before the step of this number, from 0. Yield a list with the count of steps."""
    count = [0]

    def step() -> None:
        if count[0] == number:
            count[0] += 1
            _watch.clear()
            move()
            _watch.append(step)
        else:
            count[0] += 1

    _watch.append(step)
    try:
        yield count
    finally:
        _watch.clear()


def theirs(path: Path) -> None:
    """Give a file, or a link itself, to nobody."""
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def links_for_files(folder: Path, victim: Path) -> Callable[[], None]:
    """Return the move that puts a link to ``victim`` in the place of each file of a folder."""

    def move() -> None:
        for path in folder.iterdir():
            if not path.is_symlink():
                path.rename(folder.parent / f"taken-{path.name}")
                path.symlink_to(victim)
                theirs(path)

    return move


def link_for_folder(folder: Path, victims: Path) -> Callable[[], None]:
    """Return the move that puts a link to another folder in the place of one."""

    def move() -> None:
        folder.rename(folder.parent / "taken")
        folder.symlink_to(victims)
        theirs(folder)

    return move


def state(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return all that there is in a folder, and whose it is."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (about.st_mode, about.st_uid, about.st_gid, about.st_nlink, content)
    return found
