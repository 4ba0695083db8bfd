"""Read the files that a plugin is given by its administrator: keys, tables, configuration.

A path may lead to anything, and smtpd waits, with all mail, while a plugin reads a file again. So
only regular files are read: open(2) of a FIFO waits for a writer, and a device may never end.

::

    with reading(path) as file:
        data = file.read(FILE_MAX)
"""

import errno
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import BinaryIO

from opensmtpd.errors import ConfigError, nearest

__all__ = ["reading"]

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NULL = os.stat(os.devnull).st_rdev
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_REGULAR = "name a regular file"
_PATH = "correct the path"
_SHORT = "wait until the machine has more to give, or raise its limit"
_REMEDIES = {
    errno.ENOTDIR: _PATH,
    errno.ELOOP: _PATH,
    errno.ENAMETOOLONG: _PATH,
    errno.ENXIO: _REGULAR,
    errno.ENODEV: _REGULAR,
    errno.EMFILE: _SHORT,
    errno.ENFILE: _SHORT,
    errno.ENOMEM: _SHORT,
}


@contextmanager
def reading(path: str, *, opener: Callable[[str, int], int] | None = None) -> Iterator[BinaryIO]:
    """Open a regular file, for bytes, and close it at the end.

    ``opener`` is given the path and the flags of open(2), and returns a descriptor. Without it,
    another process opens a file that the sandbox keeps from this one (``before_sandbox``). Raises
    ConfigError with the path and a remedy: for a file that cannot be opened, for one that is not a
    regular file, and in place of an OSError that the block raises while it reads.
    """
    if "\0" in path:
        raise ConfigError("a NUL byte in a path", remedy=_PATH)
    try:
        with open(_regular(path, opener or _open), "rb") as file:
            yield file
    except OSError as error:
        fault = f"cannot read it: {error.strerror or type(error).__name__}"
        raise ConfigError(fault, path=path, remedy=_remedy(path, error.errno)) from None


def before_sandbox(opener: Callable[[str, int], int] | None) -> None:
    """Get ready for the sandbox, in which the name of this process's user cannot be found out.

    ``opener`` opens the files that the process itself may not open then, as that of ``reading``.
    """
    global _reopen  # noqa: PLW0603  a process has one sandbox
    _reopen = opener
    _user(os.geteuid())


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags)
    except PermissionError:
        if _reopen is None:
            raise
        return _reopen(path, flags)


_reopen: Callable[[str, int], int] | None = None


def _regular(path: str, opener: Callable[[str, int], int]) -> int:
    """Return the descriptor of a regular file, or of /dev/null, which is an empty one."""
    descriptor = opener(path, _FLAGS)
    try:
        found = os.fstat(descriptor)
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFREG or found.st_rdev == _NULL:
            return descriptor
        fault = f"{_KINDS.get(kind, 'something else')}, not a regular file"
        raise ConfigError(fault, path=path, remedy=_REGULAR)
    except BaseException:
        os.close(descriptor)
        raise


def _remedy(path: str, number: int | None) -> str:
    """Return the remedy for an error of open(2) or read(2)."""
    if number == errno.ENOENT:
        return _near_miss(path)
    if number not in (errno.EACCES, errno.EPERM):
        return _REMEDIES.get(number or 0, "see the system's log for the disk that it is on")
    user = _user(os.geteuid())
    if folder := _closed_folder(path):
        return f"let {user} enter the directory {folder}"
    if os.access(path, os.R_OK, effective_ids=True):
        return "restart smtpd: the sandbox knows the folders of the start only"
    return f"let {user} read it"


def _near_miss(path: str) -> str:
    folder, _, name = path.rpartition("/")
    try:
        names = os.listdir(folder or ("/" if path.startswith("/") else "."))
    except OSError:
        return _PATH
    stems = {os.path.splitext(each)[0]: each for each in names}  # all keys end in .key
    near = nearest(os.path.splitext(name)[0], stems)
    if near is None:
        return "make the file, or correct the path"
    return f"did you mean {path.removesuffix(name)}{stems[near]}?"


def _closed_folder(path: str) -> str | None:
    """Return the first directory on the way to ``path`` that this process may not enter."""
    at = path.find("/", 1)
    while at > 0:
        if not os.access(path[:at], os.X_OK, effective_ids=True):
            return path[:at]
        at = path.find("/", at + 1)
    return None


@cache
def _user(uid: int) -> str:
    """Return the user of this process, who reads the file."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
