"""Packing lists (pkg_create(1)), and what a fake root has for them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FILES = ("@man",)
"""Before the name of a file of a kind."""
NAMES = ("@conflict", "@newgroup", "@newuser")
STATES = ("@mode", "@owner", "@group")
"""Hold for what follows, until they stand alone."""

COMMON = {
    *("bin", "lib", "libexec", "man", "man/man3", "man/man5", "man/man7", "man/man8"),
    *("share", "share/doc", "share/doc/pkg-readmes", "share/examples"),
}
"""Folders of /usr/local that belong to no package (``/etc/mtree/BSD.local.dist``)."""


class Entry(NamedTuple):
    """A file or a folder, with what was set before it."""

    path: str
    """Below /usr/local, or from the root on; a folder ends with a slash."""
    mode: str
    owner: str
    group: str


class Plist(NamedTuple):
    """A packing list, read."""

    entries: list[Entry]
    samples: list[tuple[str, Entry]]
    """What is copied if it is not there yet: from which file (none: a folder), to where."""
    said: dict[str, list[str]]
    """@conflict and the like."""

    @property
    def paths(self) -> list[str]:
        """The paths of the entries."""
        return [entry.path for entry in self.entries]


def read(text: str) -> Plist:
    """Read a packing list whose variables are replaced. Raises ValueError."""
    found = Plist([], [], {name: [] for name in NAMES})
    state = dict.fromkeys(STATES, "")
    for line in text.splitlines():
        word, _, value = line.partition(" ")
        if word in STATES:
            state[word] = value
        elif word in NAMES:
            found.said[word].append(value)
        elif word == "@sample":
            source = "" if value.endswith("/") else found.entries[-1].path
            found.samples.append((source, Entry(value, *state.values())))
        elif word in FILES or not line.startswith("@"):
            path = value if word in FILES else line
            # ${MODPY_PYCACHE}, which ends with a slash, is customarily followed by another.
            found.entries.append(Entry(path.replace("//", "/"), *state.values()))
        else:
            raise ValueError(f"unknown: {line}")
    if any(state.values()):
        raise ValueError(f"still in force at the end: {state}")
    return found


def installed(root: Path, version: str) -> list[str]:
    """Return what the fake root has for packages, as a packing list names it, in its order."""
    base = root / "usr/local"
    pythons = {f"lib/python{version}", f"lib/python{version}/site-packages"}
    paths = (f"{path.relative_to(base)}{'/' if path.is_dir() else ''}" for path in base.rglob("*"))
    return in_order(path for path in paths if path.rstrip("/") not in COMMON | pythons)


def in_order(paths: Iterable[str]) -> list[str]:
    """Sort paths as packing lists have them: a folder before what is in it."""
    return sorted(paths, key=lambda path: path.rstrip("/"))
