"""The base class of workers: the code of a process behind the one that smtpd talks to."""

import socket
from typing import Any

from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs
from opensmtpd.worker.frames import FrameBuffer, pack, whole

GROUP = 4
"""Replies that are sent together while more requests wait."""

HELLO, VALUE, FAILURE, FORKED, KILLED = range(5)
"""Kinds of frames from a worker or a stem: it serves; a reply; an exception. From a stem alone: the
process that it has forked, 0 for none, and the one that it has killed. The id of a process comes
from a stem only, which never sees a request: what is killed is not a worker's to say.
"""

TEXT_MAX = 10_000
"""Characters of the text of an exception that cross to the front, at most."""


def described(error: BaseException) -> tuple[str, str]:
    """Return the type and the text of an exception, as they cross to the front.

    The text is left out unless the error is one of ours: it may quote what must not be logged. It
    has TEXT_MAX characters at most: it may quote what a server said, and a frame has a size.
    """
    return type(error).__name__, str(error)[:TEXT_MAX] if isinstance(error, LocalError) else ""


class Link:
    """A worker's end of the connection to its front.

    ``receive`` returns requests with their numbers; each is to be answered once, in any order.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._frames = FrameBuffer()
        self._out = bytearray()

    def fileno(self) -> int:
        """Return the descriptor to poll for reading."""
        return self._end.fileno()

    def receive(self) -> list[tuple[int, Any]]:
        """Return the requests that have come, each with its number; waits for the first.

        Raises EOFError when the front is gone.
        """
        found: list[tuple[int, Any]] = []
        while not found:
            data = self._end.recv(1 << 16)
            if not data:
                raise EOFError
            one = whole(data) if self._frames.empty else None
            if one is not None:  # most often: one request, and all of it
                number, request = one
                return [(number, request)]
            found += [(number, request) for number, request in self._frames.feed(data)]
        return found

    def hello(self) -> None:
        """Say that this worker serves."""
        self._end.sendall(pack([HELLO, 0]))

    def reply(self, number: int, value: object) -> None:
        """Answer a request, with ``flush`` at the latest."""
        self._out += pack([VALUE, number, value])

    def fail(self, number: int, error: BaseException) -> None:
        """Answer a request with an exception."""
        self._out += pack([FAILURE, number, *described(error)])

    def flush(self) -> None:
        """Send the answers that wait."""
        if self._out:
            self._end.sendall(self._out)
            self._out.clear()


class Worker:
    """A worker: a process that answers requests of its front, one after another.

    ``load`` runs once, in the process that the workers are forked from, ``handle`` in each worker.
    Setup, requests and replies are plain data: None, bool, int, float, str, bytes, lists, dicts.
    """

    title = "worker"
    """The worker's name for ps(1), after that of the program."""
    in_order = True
    """True where requests are answered in the order in which they come."""
    memory: int | None = 512 << 20
    """Bytes of address space, at most; None for no limit."""
    threads = False
    """True where the workers start threads: the system counts these as processes."""

    imports: tuple[str, ...] = ()
    """Modules that ``load`` will need and that take long to import: they are imported before it."""
    later: tuple[str, ...] = ()
    """Modules that requests alone need: they are imported when ``load`` is answered, so that the
    front does not wait for them. ``load`` is to tell where one is missing."""

    needs: Needs | None = None
    """The needs of a worker after ``begin``: it loses all else. None: it may do anything."""
    load_needs = Needs()
    """The needs of ``load`` when it is called again. ``load`` may set both."""

    def load(self, setup: Any) -> Any:
        """Read what all workers need, and return plain data for the front.

        It is called again on a copy of the process when the front has it reloaded. Raise
        ConfigError for what cannot be used.
        """
        return None

    def begin(self) -> None:
        """Prepare this process: called once in each worker, before its first request."""

    def handle(self, request: Any) -> Any:
        """Return the reply to a request; an exception becomes the front's WorkerError."""
        raise NotImplementedError

    def serve(self, link: Link) -> None:
        """Answer all requests. Override it for an event loop of your own. Raises EOFError."""
        while True:
            for count, (number, request) in enumerate(link.receive(), 1):
                try:
                    link.reply(number, self.handle(request))
                except Exception as error:
                    link.fail(number, error)
                if count % GROUP == 0:
                    link.flush()
            link.flush()
