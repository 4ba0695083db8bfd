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
    """Return what to let our user do, so that he can use a file; "" where nothing is found.

    To ``write`` is also to make files beside it, as SQLite and all new files want it.
    """
    folder = os.path.dirname(os.path.abspath(path))
    missing = ""
    for above in _ways(folder):
        if not _may(above, os.X_OK):
            missing = f"enter the directory {above}"
            break
    else:
        if os.path.exists(path) and not _may(path, os.R_OK):
            missing = "read it"
        elif write and os.path.exists(path) and not _may(path, os.W_OK):
            missing = "write to it"
        elif write and not _may(folder, os.W_OK):
            missing = f"write to the directory {folder}"
    if not missing:
        return ""
    root = "" if os.getuid() == 0 else "run this as root, or "
    return f"{root}let {name_of(os.geteuid())} {missing}"


def _ways(folder: str) -> Iterator[str]:
    """Yield a directory and those above it, the highest one first."""
    at = folder.find("/", 1)
    while at > 0:
        yield folder[:at]
        at = folder.find("/", at + 1)
    yield folder


def _may(path: str, how: int) -> bool:
    return os.access(path, how, effective_ids=True)
