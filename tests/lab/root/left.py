"""What a file system has, and what became of it."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

MOUNTED = ("dev", "proc", "sys", "debs")
"""Not of the root itself; ``debs`` is what the packages are installed from."""
STATE = ("var/cache/apt", "var/cache/debconf", "var/cache/ldconfig", "var/lib/apt", "var/lib/dpkg",
         "var/log")  # fmt: skip
"""What apt and dpkg remember and log of all packages ever installed."""


class Change(NamedTuple):
    """What differs between two looks at a file system: paths below its root."""

    new: set[str]
    gone: set[str]
    changed: set[str]


Look = dict[str, tuple[object, ...]]


def look(root: Path) -> Look:
    """Return what stands below ``root``, but for MOUNTED and STATE."""
    found: Look = {}
    for folder, folders, files in os.walk(root):
        here = os.path.relpath(folder, root)
        paths = {name: os.path.normpath(f"{here}/{name}") for name in (*folders, *files)}
        for path in set(paths.values()).difference(MOUNTED, STATE):
            found[path] = _state(root / path)
        folders[:] = [name for name in folders if paths[name] in found]
    return found


def _state(path: Path) -> tuple[object, ...]:
    """Owner, mode and content: of folders neither size nor time, which tell nothing."""
    status = path.lstat()
    owner = (status.st_mode, status.st_uid, status.st_gid)
    if path.is_symlink():
        return (*owner, os.readlink(path))
    if path.is_file():
        return (*owner, hashlib.sha256(path.read_bytes()).digest())
    return owner


def between(before: Look, after: Look) -> Change:
    """Return what changed between two looks."""
    both = before.keys() & after.keys()
    changed = {path for path in both if before[path] != after[path]}
    return Change(set(after.keys() - both), set(before.keys() - both), changed)
