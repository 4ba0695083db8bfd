"""Processes that open files anew for one that has confined itself.

A file is replaced by renaming another over it, and Landlock knows files by what they are, not by
their names. In a folder that holds nothing else, the folder may be read; in /etc, only these
processes may, which read nothing that a client, the DNS or a database has written. They open the
files that they were made for, and no others.
"""

import contextlib
import errno
import gc
import os
import signal
import socket
import sys
import threading
from typing import NoReturn

from opensmtpd._runtime import sandbox
from opensmtpd._runtime.sandbox import linux
from opensmtpd._title import set_title
from opensmtpd.log import log
from opensmtpd.needs import Needs

WITHIN = 0.2
"""Seconds until a process that does not answer is given up: all mail may wait meanwhile."""
TRIES = 2
"""Processes that are asked to open a file, at most: where open(2) itself hangs, as on a dead mount,
a third would hang, too."""
HEIR = b"heir"
"""Asks for a copy that serves on the socket that comes along; else a request is the number of a
file and the flags of open(2), and the reply the errno, or 0 and the descriptor."""


class Opener:
    """Two processes, each of which can replace the other when it dies."""

    def __init__(self, paths: list[str]) -> None:
        """Start them for these files. Raises OSError where the system has no process to give."""
        self._paths = paths
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._children: list[int] = []
        for _ in range(2):
            self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        front = os.getpid()
        with theirs:
            child = os.fork()
            if child == 0:
                _begin(theirs, self._paths, front)
        self._children.append(child)
        self._add(ours)

    def _add(self, end: socket.socket) -> None:
        end.settimeout(WITHIN)
        self._ends.append(end)

    def open(self, path: str, flags: int) -> int:
        """Return the descriptor of the file that has the name now. Raises OSError."""
        try:
            number = self._paths.index(path)
        except ValueError:
            raise PermissionError(1, "the sandbox keeps it") from None
        with self._lock:
            fault, descriptors = self._answer(b"%d %d" % (number, flags))
        if fault or not descriptors:
            raise OSError(fault or errno.EMFILE, os.strerror(fault or errno.EMFILE))
        return descriptors[0]

    def _answer(self, request: bytes) -> tuple[int, list[int]]:
        for _ in range(TRIES):
            if self._ends:
                with contextlib.suppress(OSError, ValueError):
                    return self._ask(self._ends[0], request)
                self._replace()
        if self._ends:
            return errno.ETIMEDOUT, []
        raise PermissionError(1, "the processes that could open it are gone")

    def _ask(self, end: socket.socket, request: bytes) -> tuple[int, list[int]]:
        end.send(request)
        reply, descriptors, _, _ = socket.recv_fds(end, 16, 1)
        return int(reply), descriptors

    def _replace(self) -> None:
        """Give up the first process, and have the other make a third."""
        self._ends.pop(0).close()
        for child in self._children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)
        if self._ends:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                with theirs:
                    socket.send_fds(self._ends[0], [HEIR], [theirs.fileno()])
                self._add(ours)
            except OSError:  # it is gone, too
                ours.close()
        else:
            log("opener-lost", remedy="restart smtpd, or some files cannot be read again")


def _begin(end: socket.socket, paths: list[str], parent: int) -> NoReturn:
    """Be one of the processes, with no descriptor of its parent's but this one and the log's."""
    try:
        gc.disable()
        linux.end_with(parent)
        for number in (
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGTERM,
            signal.SIGUSR1,
            signal.SIGUSR2,
        ):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # copies leave no zombies
        signal.set_wakeup_fd(-1)
        set_title(f"{os.path.basename(sys.argv[0])}: opener")
        os.closerange(3, end.fileno())
        os.closerange(end.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        needs = Needs(reads=tuple(paths), forks=True, passes=True)
        sandbox.restrict(sandbox.with_folders(needs))  # the parent will log what is missing
        _serve(end, paths)
    finally:
        os._exit(0)


def _serve(end: socket.socket, paths: list[str]) -> None:
    """Answer until the other side is gone."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(end, 64, 1)
        if not request:
            return
        if request == HEIR:
            heir = socket.socket(fileno=descriptors[0])
            if os.fork() == 0:
                end.close()
                end = heir
            else:
                heir.close()
            continue
        number, flags = map(int, request.split())
        try:
            descriptor = os.open(paths[number], flags)
        except OSError as error:
            with contextlib.suppress(OSError):
                end.send(b"%d" % (error.errno or 1))
            continue
        # Nobody waits for it where this process was stopped: the next order is the one for a third.
        with contextlib.suppress(OSError):
            socket.send_fds(end, [b"0"], [descriptor])
        os.close(descriptor)
