"""Tell that a file lies on a local file system, where stat(2) shows each change at once.

Clients of network file systems answer stat(2) from memory for some seconds.
"""

import os
import re
import sys
from contextlib import suppress
from functools import cache

MOUNTS = "/proc/self/mountinfo"
LOCAL = frozenset(
    [
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "zfs", "bcachefs"),
        *("tmpfs", "ramfs", "overlay"),
    ]
)
"""Types of Linux's file systems whose clocks have ticks of a second at most."""

_OCTAL = re.compile(r"\\([0-7]{3})")


def is_local(path: str, mounts: str = MOUNTS) -> bool:
    """Return whether the file system of a file is of a type in LOCAL.

    Only Linux tells, in ``mounts``, whose form is that of proc_pid_mountinfo(5): False where that
    cannot be read, True on other systems. In the sandbox, ``prepare`` must have been called.
    """
    if sys.platform != "linux":
        return True
    try:
        device = os.stat(path).st_dev
        with open(_opened(mounts), "rb", closefd=False) as file:
            file.seek(0)
            lines = [os.fsdecode(line).partition(" - ") for line in file]
        return _type(path, f"{os.major(device)}:{os.minor(device)}", lines) in LOCAL
    except (OSError, IndexError):
        return False


def prepare() -> None:
    """Open the list of mounts: the sandbox lets nobody open it later, and it is always current."""
    if sys.platform == "linux":
        with suppress(OSError):
            _opened(MOUNTS)


@cache
def _opened(mounts: str) -> int:
    """Return its descriptor, which stays open. Raises OSError."""
    return os.open(mounts, os.O_RDONLY | os.O_CLOEXEC)


def _type(path: str, device: str, lines: list[tuple[str, str, str]]) -> str:
    """Return the type of a device; of one that is not listed, as btrfs has them, by its path."""
    folder = os.path.dirname(os.path.realpath(path))
    folders = {folder}
    while folder != "/":
        folder = os.path.dirname(folder)
        folders.add(folder)
    longest, type = 0, ""
    for head, _, tail in lines:
        fields = head.split()
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4])
        if fields[2] == device:
            return tail.split()[0]
        if point in folders and len(point) >= longest:  # of two at one place, the last is seen
            longest, type = len(point), tail.split()[0]
    return type
