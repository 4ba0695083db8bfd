"""The front's ends of the sockets to its stems and workers."""

import os
import select
import selectors
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Any, TypeAlias

from opensmtpd.errors import WorkerError
from opensmtpd.worker.frames import FRAME_MAX, LOADED_MAX, FrameBuffer, pack, whole
from opensmtpd.worker.open_request import OpenRequest
from opensmtpd.worker.worker import FAILURE, VALUE

READ = 1 << 16

RequestEnd: TypeAlias = tuple[Any, WorkerError | None]
"""The value of a reply, or the error."""


class End:
    """One end of a socket pair: frames come, bytes wait until the other side takes them."""

    def __init__(self, end: socket.socket, limit: int = FRAME_MAX) -> None:
        """``limit`` is that of the data in each frame that comes, in bytes."""
        end.setblocking(False)
        self.socket = end
        self.pid = 0
        """The process id of the other side, 0 until its stem has said it."""
        self.serves = False
        """True when the other side has said that it serves."""
        self._frames = FrameBuffer(limit)
        self._came = b""
        """Bytes that were read, and not taken yet."""
        self._out = bytearray()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.socket.fileno()

    def receive(self) -> Iterator[Any]:
        """Yield the data of each frame that has come.

        Raises EOFError at the end, and ProtocolError for bytes that are none.
        """
        came, self._came = self._came, b""
        yield from self._frames.feed(came)
        while True:
            try:
                data = self.socket.recv(READ)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                raise EOFError
            yield from self._frames.feed(data)
            if len(data) < READ:
                return

    @property
    def full(self) -> bool:
        """Return whether bytes wait for the other side."""
        return bool(self._out)

    def send(self, frame: bytes) -> None:
        """Have ``frame`` sent by ``flush``."""
        self._out += frame

    def flush(self) -> None:
        """Send what the other side takes now. Its end shows when it is read from."""
        if not self._out:  # as most often: each turn of the loop asks all workers
            return
        with suppress(OSError):  # BlockingIOError above all
            while self._out:
                del self._out[: self.socket.send(self._out)]

    def order(self, frame: bytes, descriptor: int | None = None) -> bool:
        """Send a whole frame at once, with a descriptor; return whether that was possible."""
        try:
            fds = [] if descriptor is None else [descriptor]
            return socket.send_fds(self.socket, [frame], fds) == len(frame)
        except OSError:
            return False

    def close(self) -> None:
        """Close it: the other side ends."""
        self.socket.close()


class StemEnd(End):
    """The end of a stem, and the processes that it was asked for."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(end, LOADED_MAX)
        self.asked: deque[End] = deque()
        """Those that it has not answered for, in the order of asking."""

    def fork(self, order: int, end: End, theirs: socket.socket) -> bool:
        """Order a process for ``end``, which is to have ``theirs``; return whether it could be."""
        if not self.order(pack([order]), theirs.fileno()):
            return False
        self.asked.append(end)
        return True


class WorkerEnd(End):
    """The end of a worker, and the requests that it has."""

    def __init__(self, end: socket.socket, asked: float) -> None:
        super().__init__(end)
        self._readable = select.poll()
        self._readable.register(end, select.POLLIN)
        self.asked = asked
        """When its stem was asked for it."""
        self.requests: dict[int, OpenRequest] = {}
        """The requests that were sent to it and are not answered, in the order of sending."""
        self.alone = False
        """True where a worker has died of its last request: it gets no other beside that."""
        self._watched = False
        """True where a selector tells when it takes more bytes."""

    @property
    def free(self) -> bool:
        """Return whether it serves, and has nothing to do."""
        idle = not self.requests and not self._out and not self._came and self._frames.empty
        return self.serves and self.pid > 0 and idle

    @property
    def burden(self) -> float:
        """Return the number of its requests, inf where it is to get no other."""
        return inf if self.alone and self.requests else len(self.requests)

    def ask(self, number: int, frame: bytes, seconds: float) -> RequestEnd | None:
        """Send a request, wait for what comes, and return the outcome.

        None where it is late, or anything else comes, which ``receive`` takes then.
        """
        try:
            sent = self.socket.send(frame)
        except OSError:  # as in ``flush``
            sent = 0
        if sent < len(frame):
            self._out += frame[sent:]
            return None
        if not self._readable.poll(max(0.0, seconds * 1000)):
            return None
        try:
            self._came = self.socket.recv(READ)
        except OSError:
            return None
        outcome = _outcome(number, whole(self._came))
        if outcome is not None:
            self._came = b""
        return outcome

    def watch(self, selector: selectors.BaseSelector, data: object) -> None:
        """Have a selector, where it is registered with ``data``, tell when it takes what waits."""
        if self.full != self._watched:
            self._watched = self.full
            writing = selectors.EVENT_WRITE if self._watched else 0
            selector.modify(self, selectors.EVENT_READ | writing, data)

    @property
    def made(self) -> bool:
        """Return whether there is a process: its ``begin`` may take longer than a fork does."""
        return bool(self.pid) or self.serves


def _outcome(number: int, reply: Any) -> RequestEnd | None:
    if not isinstance(reply, list) or len(reply) < 3 or reply[1] != number:
        return None
    if reply[0] == VALUE and len(reply) == 3:
        return reply[2], None
    if reply[0] == FAILURE and len(reply) == 4:
        _, _, name, text = reply
        if isinstance(name, str) and isinstance(text, str):
            return None, WorkerError(text or name, name)
    return None


GONE: deque[int] = deque()
"""The ids of processes that have ended, of all pools: on Linux children of this process."""


def reap() -> None:
    """Take the exit status of those that have ended."""
    for _ in range(len(GONE)):
        pid = GONE.popleft()
        if not pid:
            continue
        with suppress(OSError):  # not a child of ours
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                GONE.append(pid)
