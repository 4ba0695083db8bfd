"""The directory where this system's smtpd looks for its plugins.

It is ``PATH_LIBEXEC`` when smtpd is built, and ``table_create`` in ``table.c`` has it in a string
of its own, before ``/table-%s``. So it can be read from the program, without running it.
"""

import os
import re
import shutil
import stat

LIBEXEC = (
    "/usr/libexec/opensmtpd",  # Debian
    "/usr/local/libexec/smtpd",  # OpenBSD
    "/usr/lib/opensmtpd",  # Alpine
    "/usr/lib/smtpd/opensmtpd",  # Arch
    "/usr/local/libexec/opensmtpd",  # FreeBSD
)
"""Directories in which smtpd finds its plugins, on systems that are known here. smtpd is built with
one directory, and looks nowhere else."""

_SMTPD = ("/usr/sbin/smtpd", "/usr/local/sbin/smtpd")
_STRING = re.compile(rb"\0((?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)+)/table-%s\0")
_SIZE_MAX = 64 << 20


def folders() -> tuple[str, ...]:
    """Return the directory that this system's smtpd names, or all that are known."""
    named = own()
    return (named,) if named else LIBEXEC


def own() -> str | None:
    """Return the directory that this system's smtpd names; None where there is no smtpd."""
    for smtpd in (*_SMTPD, shutil.which("smtpd")):
        found = named_in(smtpd) if smtpd else None
        if found:
            return found
    return None


def named_in(smtpd: str) -> str | None:
    """Return the directory that a program names; None if it is no smtpd, or cannot be read."""
    try:
        with open(smtpd, "rb", opener=_opener) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > _SIZE_MAX:
                return None
            found = set(_STRING.findall(file.read()))
    except OSError:
        return None
    return os.fsdecode(found.pop()) if len(found) == 1 else None


def _opener(path: str, flags: int) -> int:
    return os.open(
        path, flags | os.O_NONBLOCK
    )  # a file of this name on somebody's PATH may be a fifo
