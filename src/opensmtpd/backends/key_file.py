"""Configuration files that no program in C reads, or a socket in the place of one.

A key that nobody knows, and one that stands there twice, are errors here: no older program has
passed over them.
"""

import os
import stat
from collections.abc import Collection

from opensmtpd.backends.configuration import Setter, once, take
from opensmtpd.errors import ConfigError, did_you_mean

SOCKET_MAX = 107
"""Bytes of ``sun_path`` on Linux, without the NUL (unix(7))."""


def read(path: str, known: Collection[str], *setters: Setter) -> dict[str, int]:
    """Give each line to the first setter that knows its key; return the lines of the keys.

    ``known`` are names for the remedy. Raises ConfigError.
    """
    lines: dict[str, int] = {}

    def strange(key: str, value: str, line: int) -> bool:
        fault = f"no key is {key!r:.40}{did_you_mean(key, known)}"
        raise ConfigError(fault, path=path, line=line)

    take(path, once(path, lines), *setters, strange)
    return lines


def is_one(path: str) -> bool:
    """Return whether a path is that of a file to read, not of a socket. Raises nothing.

    A path that leads nowhere is that of a socket whose server is not there yet.
    """
    try:
        return not stat.S_ISSOCK(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # ``read`` says what is wrong
        return True


def bare_socket(path: str) -> str:
    """Return the path of a socket that is the argument of a program. Raises ConfigError."""
    try:
        return absolute(path)
    except ValueError as error:
        raise ConfigError(str(error), path=path) from None


def absolute(text: str) -> str:
    """Return the absolute path of a unix socket. Raises ValueError for another text."""
    if not text.startswith("/"):
        raise ValueError("a socket's path begins with /")
    if len(os.fsencode(text)) > SOCKET_MAX:
        raise ValueError(f"a socket's path has {SOCKET_MAX} bytes at most")
    return text
