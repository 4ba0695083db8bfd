"""seccomp: the system calls that a process may make on Linux, by libseccomp.

A call that is not allowed fails with EPERM. It never kills: a mistake in the lists would stop the
mail server. Source: seccomp(2), and seccomp_rule_add(3) and seccomp.h of libseccomp 2.5.
"""

import ctypes
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from opensmtpd._runtime.sandbox import syscalls
from opensmtpd._runtime.sandbox.libc import library
from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs

LIBRARY = "libseccomp.so.2"
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
BAD_ARCHITECTURE, ALL_THREADS, OPTIMIZE = 2, 4, 8
"""Attributes of a filter: SCMP_FLTATR_ACT_BADARCH, _CTL_TSYNC, _CTL_OPTIMIZE."""
BINARY_TREE = 2
EQUAL, MASKED = 4, 7

EXECUTE = 4
"""PROT_EXEC of mmap(2)."""
CLONE_THREAD = 0x10000
UNIX, INET, INET6 = 1, 2, 10
"""AF_UNIX, AF_INET and AF_INET6; the module socket takes 1 MB."""
SET_NAME = 15
"""PR_SET_NAME of prctl(2): the name of a thread."""
FCNTLS = (*range(8), 36, 37, 38, 1030, 1031, 1032)
"""Of descriptors, locks and pipes, of fcntl(2); not F_SETOWN and F_SETSIG, which send signals."""
IOCTLS = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS (isatty), FIONREAD, FIONBIO, FIONCLEX, FIOCLEX of ioctl(2)."""

Test: TypeAlias = tuple[int, int, int, int]
"""A test of an argument: its number, EQUAL or MASKED, the value or the mask, 0 or the value."""
Rule: TypeAlias = tuple[str, tuple[Test, ...]]
"""A system call, and the tests that it must pass, all of them, to be allowed."""


class _Argument(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("one", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    )


def prepared(needs: Needs) -> Callable[[], None]:
    """Return what refuses each system call that ``needs`` does not bring, in all threads.

    That sets no_new_privs, too. Raises LocalError where libseccomp cannot be used, and what is
    returned does so where the kernel refuses.
    """
    seccomp = _library()
    refuse = ERRNO | errno.EPERM
    context = seccomp.seccomp_init(refuse)
    if not context:
        raise LocalError("no seccomp: libseccomp has no memory")
    for attribute, value in (
        (BAD_ARCHITECTURE, refuse),  # calls of 32 bits, which would kill
        (ALL_THREADS, 1),
        (OPTIMIZE, BINARY_TREE),
    ):
        _done(seccomp.seccomp_attr_set(context, attribute, value))
    # The C library makes the call anew as clone(2), whose flags can be seen here.
    _add(seccomp, context, ERRNO | errno.ENOSYS, [("clone3", ())])
    _add(seccomp, context, ALLOW, _rules(needs))

    def restrict() -> None:
        try:
            _done(seccomp.seccomp_load(context))
        finally:
            seccomp.seccomp_release(context)

    return restrict


def _library() -> Any:
    seccomp = library(LIBRARY)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    seccomp.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.c_void_p,
    ]
    seccomp.seccomp_load.argtypes = seccomp.seccomp_release.argtypes = [ctypes.c_void_p]
    seccomp.seccomp_release.restype = None
    return seccomp


def _add(seccomp: Any, context: int, action: int, rules: Iterable[Rule]) -> None:
    for name, tests in rules:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # below: unknown to libseccomp, or no call of this processor
            array = (_Argument * len(tests))(*(_Argument(*test) for test in tests))
            _done(seccomp.seccomp_rule_add_array(context, action, number, len(tests), array))


def _done(result: int) -> None:
    """Raise LocalError for the negative result of a function of libseccomp."""
    if result < 0:
        raise LocalError(f"no seccomp: {os.strerror(-result)}")


def _rules(needs: Needs) -> Iterator[Rule]:
    """Yield what is allowed to a process with these needs."""
    for names, are_needed in (
        (syscalls.EVERY, True),
        (syscalls.OPENS, needs.reads or needs.writes),
        (syscalls.WRITES, needs.writes),
        (syscalls.LOCKS, needs.locks),
        (syscalls.CONNECTS, needs.network or needs.sockets),
        (syscalls.NETWORK, needs.network),
        (syscalls.FORKS, needs.forks),
        (syscalls.ACCEPTS, needs.accepts),
    ):
        yield from ((name, ()) for name in names.split() if are_needed)
    for name in ("mmap", "mmap2", "mprotect", "pkey_mprotect"):
        yield name, ((2, MASKED, EXECUTE, 0),)  # memory never becomes code
    yield "prlimit64", ((0, EQUAL, 0, 0),)  # the limits of this process, and of no other
    for number in FCNTLS:
        for name in ("fcntl", "fcntl64"):
            yield name, ((1, MASKED, 0xFFFFFFFF, number),)
    for number in IOCTLS:
        yield "ioctl", ((1, MASKED, 0xFFFFFFFF, number),)
    if needs.network:
        for family in (INET, INET6):
            yield "socket", ((0, EQUAL, family, 0),)
    if needs.sockets:
        yield "socket", ((0, EQUAL, UNIX, 0),)
    if not needs.forks:
        yield "clone", ((0, MASKED, CLONE_THREAD, CLONE_THREAD),)
        yield "prctl", ((0, EQUAL, SET_NAME, 0),)
        own = os.getpid()
        yield from ((name, ((0, EQUAL, own, 0),)) for name in ("kill", "tgkill"))
