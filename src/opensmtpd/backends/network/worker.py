"""The worker that has a connection: where a library in C may crash or hang, smtpd does not."""

from time import monotonic
from typing import Any, ClassVar

from opensmtpd.backends.network import names
from opensmtpd.backends.network.connection import Reconnecting
from opensmtpd.errors import LocalError, Unavailable
from opensmtpd.needs import Needs
from opensmtpd.worker import Link, Worker
from opensmtpd.worker.frames import FRAME_MAX, LOADED_MAX, FrameBuffer, pack

USE, ASK, CHECK, CLOSE, MORE = range(5)
EARLY = 0.03
"""Seconds that a question ends before its request, so that the front is told why."""
PART = FRAME_MAX // 2
"""Bytes of a part of replies that are too large for a frame: the rows of a long list."""


class UnknownConfiguration(Unavailable):
    """The worker has not been sent this configuration: it is new, or the configuration is."""


class ReplyTooLarge(Unavailable):
    """The replies do not fit into a frame: the front is to ask for MORE, part by part."""


class ConnectionWorker(Worker):
    """Answers ``[kind, number, data, seconds]``: ``number`` stands for a configuration."""

    threads = True  # for names of hosts

    connection: ClassVar[type[Any]]
    """The class of the Connection, which is made with ``Backend.plain()``."""

    def __init__(self) -> None:
        self._number = -1
        self._asker: Reconnecting | None = None
        self._large = b""

    def load(self, setup: Any) -> None:
        """Take the needs of the connection, as ``NetworkTable`` sends them."""
        self.needs = Needs(*map(_tupled, setup))
        if self.needs.network:
            names.prepare()
            self.needs |= names.NEEDS

    def serve(self, link: Link) -> None:
        """Answer all requests. Raises EOFError."""
        while True:
            for number, request in link.receive():
                try:
                    self._reply(link, number, self.handle(request))
                except Exception as error:
                    link.fail(number, error)
                link.flush()

    def handle(self, request: Any) -> Any:
        """Return the replies. Raises UnknownConfiguration, and what the connection raises."""
        kind, number, data, seconds = request
        until = monotonic() + seconds - EARLY
        if kind == USE:
            self._close()
            self._number, self._asker = number, Reconnecting(type(self).connection(data))
            return None
        if kind == CLOSE:
            if number == self._number:  # an update has put another one in its place
                self._close()
            return None
        if self._asker is None or number != self._number:
            raise UnknownConfiguration("a new worker")
        if kind == CHECK:
            return self._asker.check(until)
        return self._part(data) if kind == MORE else self._asker.ask(data, until)

    def _reply(self, link: Link, number: int, reply: Any) -> None:
        try:
            link.reply(number, reply)
        except LocalError:
            self._large = pack(reply, LOADED_MAX)
            raise ReplyTooLarge("the reply comes in parts") from None

    def _part(self, begin: int) -> list[Any]:
        """Return the length of the large reply, and the part of it that begins there."""
        length, part = len(self._large), self._large[begin : begin + PART]
        if begin + len(part) >= length:
            self._large = b""
        return [length, part]

    def _close(self) -> None:
        if self._asker is not None:
            self._asker.close()


def unpacked(large: bytes) -> Any:
    """Return a reply that came in parts. Raises ProtocolError, StopIteration."""
    return next(FrameBuffer(LOADED_MAX).feed(large))


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
