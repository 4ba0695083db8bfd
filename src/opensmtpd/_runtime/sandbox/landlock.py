"""Landlock: the files that a process may open on Linux, TCP, and the processes it may signal.

Each version of the kernel knows more; what it does not know stays free. Source: landlock(7), and
Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of Linux.
"""

import ctypes
import errno
import os
import struct
import time
from collections.abc import Callable, Iterator

from opensmtpd._runtime.sandbox import paths
from opensmtpd._runtime.sandbox.libc import call, library
from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs

CREATE, ADD, RESTRICT = 444, 445, 446
"""The numbers of the system calls, on every processor that Python and OpenSMTPD run on."""
VERSION = 1
"""LANDLOCK_CREATE_RULESET_VERSION."""
PATH_BENEATH = 1

WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 5
MAKE_FILE, MOVE, TRUNCATE = 1 << 8, 1 << 13, 1 << 14
"""MOVE is LANDLOCK_ACCESS_FS_REFER: to another folder. Before version 2 nobody may."""
READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | REMOVE_FILE | MAKE_FILE | MOVE | TRUNCATE
OF_FILES = WRITE_FILE | READ_FILE | TRUNCATE
"""The rights of a rule whose path is no folder."""
BIND_TCP, CONNECT_TCP = 1, 2
ABSTRACT_SOCKETS, SIGNALS = 1, 2
"""Scopes: neither crosses the border of the sandbox."""

RIGHTS = (0, 13, 14, 15, 15, 16)
"""The number of rights on files that a version knows; later ones know as many as the last."""
NET_SINCE, SCOPES_SINCE, THREADS_SINCE = 4, 6, 8
LINGERING = 0.5
"""Seconds to wait for the end of threads that Python does not know any more."""
ALL_THREADS = 1 << 3
"""LANDLOCK_RESTRICT_SELF_TSYNC."""


def prepared(needs: Needs) -> Callable[[], None]:
    """Return what takes the files, the TCP and the processes that are not needed from this thread.

    Threads that it starts later are restricted, too, and before Linux 7 no others. no_new_privs
    must have been set. Raises LocalError where the kernel has no Landlock, and OSError; what is
    returned raises OSError, and LocalError where other threads run, which stay as they are.
    """
    known = _version()
    rights = (1 << RIGHTS[min(known, len(RIGHTS) - 1)]) - 1
    net = (BIND_TCP if needs.network else BIND_TCP | CONNECT_TCP) if known >= NET_SINCE else 0
    attributes = struct.pack("=QQQ", rights, net, _scopes(needs))
    others = 0 if known >= THREADS_SINCE else _threads() - 1
    flags = ALL_THREADS if known >= THREADS_SINCE else 0
    size = 24 if known >= SCOPES_SINCE else 16 if known >= NET_SINCE else 8
    ruleset = call(library().syscall, CREATE, attributes, size, 0)
    try:
        for path, access in _rules(needs):
            _allow(ruleset, path, access & rights)
    except BaseException:
        os.close(ruleset)
        raise

    def restrict() -> None:
        try:
            call(library().syscall, RESTRICT, ruleset, flags)
        finally:
            os.close(ruleset)
        if others > 0:
            raise LocalError(f"no Landlock for {others} threads that ran before")

    return restrict


def _scopes(needs: Needs) -> int:
    """Return what is kept from crossing.

    The kernel sends the signal of PR_SET_PDEATHSIG in the name of the parent that ends, so that
    Landlock would refuse it where the child is in another sandbox: workers that hang would outlive
    their front. Its signals are left to seccomp, which allows it none but to itself.
    """
    has_workers = needs.passes and not needs.forks
    return ABSTRACT_SOCKETS if has_workers else ABSTRACT_SOCKETS | SIGNALS


def _threads() -> int:
    """Return the number of threads; 0 where it cannot be known, as in a chroot.

    The kernel may know a thread for a moment after Python has joined it.
    """
    end = time.monotonic() + LINGERING
    try:
        while (count := len(os.listdir("/proc/self/task"))) > 1:
            import threading  # noqa: PLC0415  a process that has no threads need not load it

            if count <= threading.active_count():
                break
            if time.monotonic() > end:
                break
            time.sleep(0.001)
    except OSError:
        return 0
    return count


def _version() -> int:
    try:
        return call(library().syscall, CREATE, ctypes.c_void_p(), 0, VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):  # a container's EPERM
            raise LocalError(f"no Landlock: {error.strerror}") from None
        raise


def _rules(needs: Needs) -> Iterator[tuple[str, int]]:
    for name in needs.reads:
        for path in paths.folders(name):
            yield path, READ
    for path in needs.writes:
        yield path, WRITE


def _allow(ruleset: int, path: str, access: int) -> None:
    """Allow ``access`` to a path and all below it; a path that is not there cannot be allowed."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            access &= OF_FILES
        rule = struct.pack("=Qi", access, descriptor)
        call(library().syscall, ADD, ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
