"""This system's smtpd: its program, and the version of it.

The program is read, not run: it would want root, and its own configuration.
"""

import os
import re
import shutil
import stat

_PATHS = ("/usr/sbin/smtpd", "/usr/local/sbin/smtpd")
_SIZE_MAX = 64 << 20
_VERSION = re.compile(rb"\0version: OpenSMTPD ([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4})[^\0]*\0")
"""The text of ``smtpd -h``: ``main`` in ``smtpd.c``. SMTPD_VERSION is ``6.8.0p2``,
``7.6.0-portable``, or ``7.6.0`` on OpenBSD."""


def installed() -> str:
    """Return the path of this system's smtpd; "" where there is none."""
    return next((path for path in paths() if version_in(path)), "")


def installed_version() -> tuple[int, int, int] | None:
    """Return the version of this system's smtpd, as ``(7, 6, 0)``; None where there is no smtpd."""
    found = map(version_in, paths())
    return next((version for version in found if version), None)


def version_in(smtpd: str) -> tuple[int, int, int] | None:
    """Return the version of a program; None if it is no smtpd, or cannot be read."""
    found = string_in(smtpd, _VERSION)
    if found is None:
        return None
    major, minor, patch = map(int, found.split(b"."))
    return major, minor, patch


def paths() -> list[str]:
    """Return the paths where smtpd may be; the first program that is an smtpd counts."""
    on_path = shutil.which("smtpd")
    return [*_PATHS, *([on_path] if on_path else [])]


def string_in(smtpd: str, pattern: re.Pattern[bytes]) -> bytes | None:
    """Return the first group of a pattern in a program.

    None where it does not occur, occurs with different texts, or the file cannot be read.
    """
    try:
        with open(smtpd, "rb", opener=_opener) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > _SIZE_MAX:
                return None
            found: set[bytes] = set(pattern.findall(file.read()))
    except OSError:
        return None
    return found.pop() if len(found) == 1 else None


def _opener(path: str, flags: int) -> int:
    return os.open(
        path, flags | os.O_NONBLOCK
    )  # a file of this name on somebody's PATH may be a fifo
