"""The sandbox of OpenBSD: unveil(2) and pledge(2).

Each promise comes from what a process needs. ``error`` goes with them: a call that was not promised
fails with ENOSYS then, where it would else kill the process, and stop the mail server.
"""

import errno
import os
from collections.abc import Iterator
from typing import Any

from opensmtpd._runtime.sandbox import paths
from opensmtpd._runtime.sandbox.libc import call, library
from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs

DONE = frozenset([errno.EPERM, errno.ENOSYS])
"""Errors of unveil(2) in a process that has been confined before, whose files stay as they are."""


def confine(needs: Needs | None) -> list[str]:
    """Take what ``needs`` does not name from this process, and return what could not be taken.

    Raises LocalError where there is no pledge.
    """
    if needs is None:
        return []
    libc = library()
    missing = []
    try:
        unveil, pledge = libc.unveil, libc.pledge
    except AttributeError:
        raise LocalError("no pledge: this C library has none") from None
    try:
        _unveil(unveil, needs)
    except OSError as error:
        if error.errno not in DONE:
            missing.append(f"unveil failed: {error.strerror}")
    try:
        call(pledge, promises(needs).encode(), None)
    except OSError as error:
        missing.append(f"pledge failed: {error.strerror}")
    return missing


def _unveil(unveil: Any, needs: Needs) -> None:
    """Hide all files but those that are needed. Raises OSError."""
    for path, access in _unveiled(needs):
        try:
            call(unveil, os.fsencode(path), access)
        except FileNotFoundError:  # its folder is not there
            continue
    call(unveil, None, None)  # no other from now on


def _unveiled(needs: Needs) -> Iterator[tuple[str, bytes]]:
    yield "/", b""
    for name in needs.reads:
        for path in paths.names(name):
            yield path, b"r"
    for path in needs.writes:
        yield path, b"rwc"
    for path in needs.sockets:
        yield os.path.abspath(path), b"rw"


def promises(needs: Needs) -> str:
    """Return the promises of a process with these needs, as pledge(2) takes them."""
    wanted = {
        "error": True,
        "stdio": True,
        "rpath": needs.reads or needs.writes,
        "wpath": needs.writes,
        "cpath": needs.writes,
        "flock": needs.locks,
        "inet": needs.network,
        "dns": needs.network,
        "unix": needs.accepts or needs.sockets,
        "proc": needs.forks,
        "sendfd": needs.passes,
        "recvfd": needs.passes,
    }
    return " ".join(name for name, is_wanted in wanted.items() if is_wanted)
