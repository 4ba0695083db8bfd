"""The paths that must be readable so that a file can be read again after it was replaced."""

import os
from collections.abc import Iterator

LINKS_MAX = 40
"""Links from name to name that Linux follows."""

SHARED = frozenset(
    [
        *("/", "/dev", "/etc", "/etc/mail", "/etc/smtpd", "/etc/opensmtpd", "/home", "/media"),
        *("/mnt", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr", "/usr/local"),
        *("/usr/local/etc", "/var", "/var/db", "/var/lib", "/var/mail", "/var/run", "/var/tmp"),
    ]
)
"""Folders where files lie that are no business of a plugin: passwords, other programs' keys."""
HOMES = frozenset(["/home", "/usr/home"])


def is_shared(folder: str) -> bool:
    """Return whether others keep files in a folder, so that a plugin must not read all of it.

    It is one of SHARED, or somebody's home, by whichever name.
    """
    real = os.path.realpath(folder)
    return real in SHARED or os.path.dirname(real) in HOMES


def names(path: str) -> Iterator[str]:
    """Yield the absolute path and, if it is a link, what it leads to, from link to link."""
    path = os.path.abspath(path)
    for _ in range(LINKS_MAX):
        yield path
        try:
            path = os.path.normpath(
                os.path.join(os.path.realpath(os.path.dirname(path)), os.readlink(path))
            )
        except OSError:  # no link
            return


def folders(path: str) -> Iterator[str]:
    """Yield the folders to read, where a rule on a file ends with the file.

    A folder is itself, and a file stands for its folder: another is renamed over it. In a shared
    folder it stands for itself. A link may be replaced as well as what it leads to.
    """
    for name in names(path):
        folder = os.path.dirname(name)
        if os.path.isdir(name):
            yield name
            return
        yield name if is_shared(folder) else folder
