"""Start a plugin as smtpd does.

Sources: ``fork_proc_backend`` and ``fork_filter_process`` in ``smtpd.c``.
"""

import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from errno import EPERM
from typing import NamedTuple

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {"PATH": SEARCHED}
"""A plugin gets that of smtpd, which is started at boot with little more. That of the operator may
hold what no unprivileged user should see, and settings that smtpd does not have."""


class Account(NamedTuple):
    """The user and the groups that a program runs as, as numbers."""

    user: int
    group: int
    groups: Sequence[int]


class Program(NamedTuple):
    """A program to start. Without ``account`` it runs as our own user; ``chroot`` needs one."""

    path: str
    argv: Sequence[str]
    account: Account | None = None
    chroot: str | None = None
    log_ends: Callable[[], tuple[int, int]] = os.pipe
    """Makes our end of its stderr and its own."""


def log_socket() -> tuple[int, int]:
    """Return the two ends of a filter's stderr: a socket, which cannot be opened by a name."""
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def start(program: Program, talk: int, log: int) -> "subprocess.Popen[bytes]":
    """Start it with descriptors for standard input and output, and for stderr. Raises OSError."""
    who = None if program.chroot else program.account
    try:
        return subprocess.Popen(
            program.argv,
            executable=program.path,
            stdin=talk,
            stdout=talk,
            stderr=log,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,  # what it starts itself is ended with it
            user=who.user if who else None,
            group=who.group if who else None,
            extra_groups=who.groups if who else None,
            # Threads, which it would not be safe with, are nowhere here.
            preexec_fn=_confinement(program),  # noqa: PLW1509
        )
    except subprocess.SubprocessError:  # out of _confinement; root is not always allowed all
        raise PermissionError(EPERM, f"it cannot be shut in {program.chroot}") from None


def _confinement(program: Program) -> Callable[[], None] | None:
    """Return the function that confines a process: it must run before root is given up."""
    folder, who = program.chroot, program.account
    if folder is None or who is None:
        return None

    def confine() -> None:
        os.chroot(folder)
        os.chdir("/")
        os.setgroups(who.groups)
        os.setgid(who.group)
        os.setuid(who.user)

    return confine
