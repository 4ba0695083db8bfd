"""Directories on a way that nobody else can bend.

Root also writes into directories that others may write to, and that lie below such ones. A user who
may write to a directory can put a symbolic link there at any moment, and so lead root to another
place. So a path is walked by descriptor, from one directory to the next, and a link is followed
only where root or our own user made it.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system.users import name_of

_LINKS_MAX = 40
"""Links on one way, as Linux has it (path_resolution(7))."""

_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASSED = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
"""To pass a directory, one need not be able to list it."""
_LISTED = os.O_RDONLY | _DIRECTORY
"""A directory that is synced to the disk is opened as if it were listed."""

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Have errors name the file that is meant, not what it is called on the way."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


class Way(NamedTuple):
    """Where a path leads. ``passed`` are the directories on the way, the one it leads to last."""

    path: str
    passed: list[os.stat_result]

    @property
    def owners(self) -> list[int]:
        """The users, by number, who may put something else in the place of what lies there.

        They are the owners of the directories, the last one first. It is -1 for a directory of ours
        that its group or others may write to.
        """
        found = []
        for number, about in enumerate(reversed(self.passed)):
            kept = about.st_mode & stat.S_ISVTX and number > 0  # what is ours there, stays ours
            if about.st_uid not in _trusted():
                found.append(about.st_uid)
            elif about.st_mode & _OTHERS and not kept:
                found.append(-1)
        return found


def opened(path: str) -> int:
    """Return a descriptor of the directory at ``path``, which is a full path.

    Raises OSError with ``path``, and ConfigError for a symbolic link that is somebody else's.
    """
    return _walked(path, _LISTED)[0]


def way(path: str) -> Way:
    """Return the way to the directory at ``path``, which is a full path. Raises as ``opened``."""
    here, found = _walked(path, _PASSED)
    os.close(here)
    return found


def behind(path: str) -> str:
    """Return the path of the file that a symbolic link leads to; ``path`` itself if it is none.

    ``path`` is a full path. Raises as ``opened``.
    """
    for _ in range(_LINKS_MAX):
        folder, name = os.path.split(path)
        here, _ = _walked(folder, _PASSED)
        try:
            leads = _leads(here, name, path)
        finally:
            os.close(here)
        if leads is None:
            return path
        path = os.path.join(folder, leads)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _walked(path: str, last: int) -> tuple[int, Way]:
    """Walk to a directory, and open it with the flags ``last``."""
    left, real, links = _names(path), ["/"], 0
    with naming(path):
        here = os.open("/", _PASSED if left else last)
        passed = [os.fstat(here)]
        try:
            while left:
                name = left.pop()
                leads = _leads(here, name, path)
                if leads is None:
                    flags = _PASSED if left else last
                    here = _closing(here, os.open(name, flags, dir_fd=here))
                    passed.append(os.fstat(here))
                    real.append(name)
                    continue
                links += 1
                if links > _LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if leads.startswith("/"):
                    here = _closing(here, os.open("/", _PASSED))
                    real = ["/"]
                left += _names(leads) or ["."]
        except BaseException:
            os.close(here)
            raise
    return here, Way(os.path.normpath(os.path.join(*real)), passed)


def _names(path: str) -> list[str]:
    """Return the names in a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name]


def _closing(old: int, new: int) -> int:
    os.close(old)
    return new


def _trusted() -> tuple[int, int]:
    return 0, os.geteuid()


def _leads(here: int, name: str, path: str) -> str | None:
    """Return where a symbolic link leads; None for what is no link, or not there.

    The link must not be exchanged for another between the looks at its owner and at its text.
    """
    try:
        before = os.stat(name, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISLNK(before.st_mode):
            return None
        leads = os.readlink(name, dir_fd=here)
        after = os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except PermissionError as error:  # the directory may not be entered
        raise OSError(error.errno, error.strerror, path) from error
    if before.st_uid not in _trusted():
        fault = f"{name} is a symbolic link of {name_of(before.st_uid)}, and is not followed"
        raise ConfigError(fault, path=path, remedy="give the path that it leads to")
    if (before.st_ino, before.st_ctime_ns) != (after.st_ino, after.st_ctime_ns):
        raise ConfigError(f"{name} was changed meanwhile", path=path, remedy="try again")
    return leads
