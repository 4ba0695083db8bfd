"""Say what a user lacks to use a file, and which error of the system has which remedy."""

import errno
import os
from collections.abc import Iterator

from opensmtpd_cli.system.users import name_of

_READ_ONLY = "mount its file system for writing, or choose another place"


def remedy(error: OSError) -> str:
    """Return what to do about an error of the system; "" where its own text says that."""
    if error.errno in (errno.EACCES, errno.EPERM) and isinstance(error.filename, str):
        return lacking(error.filename, write=True)
    return _READ_ONLY if error.errno == errno.EROFS else ""


def lacking(path: str, *, write: bool) -> str:
    """Return what to do so that our user can use a file; "" where nothing is found.

    To ``write`` is also to make files beside it, as SQLite and all new files want it.
    """
    lacks = missing(path, write=write)
    return f"run this as root, or {lacks}" if lacks and os.getuid() != 0 else lacks


def missing(path: str, *, write: bool) -> str:
    """Return what to let our effective user do, so that he can use a file; "" for nothing."""
    folder = os.path.dirname(os.path.abspath(path))
    there = os.path.exists(path)
    closed = next((above for above in ways(folder) if not _may(above, os.X_OK)), None)
    if closed:
        lacks = f"enter the directory {closed}"
    elif there and not _may(path, os.R_OK):
        lacks = "read it"
    elif write and there and not _may(path, os.W_OK):
        lacks = "write to it"
    elif write and not _may(folder, os.W_OK):
        lacks = f"write to the directory {folder}"
    else:
        return ""
    return f"let {name_of(os.geteuid())} {lacks}"


def ways(folder: str) -> Iterator[str]:
    """Yield a directory and those above it, the highest one first."""
    at = folder.find("/", 1)
    while at > 0:
        yield folder[:at]
        at = folder.find("/", at + 1)
    yield folder


def _may(path: str, how: int) -> bool:
    return os.access(path, how, effective_ids=True)
