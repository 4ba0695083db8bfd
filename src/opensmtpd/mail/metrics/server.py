"""A unix socket where metrics can be had by HTTP: ``GET`` of any path (RFC 9110, HTTP/1.0).

It is a source of the filter's loop. Nothing waits for a scraper: one that does not ask or read is
dropped after PATIENCE seconds, and there are never more than SCRAPERS.
"""

import os
import selectors
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from opensmtpd import answer
from opensmtpd.errors import ConfigError
from opensmtpd.mail.metrics.exposition import TYPE
from opensmtpd.mail.metrics.output import writable_folder

SCRAPERS = 8
"""Clients at a time, at most: another takes the place of the oldest one."""
PATIENCE = 5.0
"""Seconds for a scraper to ask, and to read all."""
REQUEST_MAX = 8192
"""Bytes of a request."""
FRESH = 1.0
"""Seconds for which a text is given to others, too: asking often costs no more."""
TURN = 32
"""Connections that are taken in a turn of the loop, at most."""
BACKLOG = 128
"""Connections that wait to be taken, at most."""
MODE = 0o660
"""The rights on the socket: user and group of the filter."""
REFUSAL = b"HTTP/1.0 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"


class Scraper:
    """A scraper: what it has sent, and what it is to be sent."""

    __slots__ = ("asked", "end", "left", "until")

    def __init__(self, end: socket.socket, until: float) -> None:
        self.end = end
        self.until = until
        self.asked = b""
        self.left = memoryview(b"")
        """The rest of the answer."""


class MetricsSocket:
    """The socket, and its scrapers."""

    def __init__(self, path: str, text: Callable[[], bytes]) -> None:
        """``text`` returns the metrics. Raises ConfigError where no socket can be made."""
        self._text = text
        self._kept = b""
        self._kept_until = 0.0
        self._selector = selectors.DefaultSelector()
        self._scrapers: dict[socket.socket, Scraper] = {}
        """The oldest is the first."""
        self._pause: float | None = None
        """The time until which none is taken: descriptors are short."""
        self._listener = listener(path)
        self._selector.register(self._listener, selectors.EVENT_READ)
        answer.register(self)

    # --- Source ---------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to do."""
        return self._selector.fileno()

    def receive(self) -> Iterator[Callable[[], object]]:
        """Serve all who have asked or read. Nothing is settled by it."""
        for key, _ in self._selector.select(0):
            if key.fileobj is self._listener:
                self._accept()
            elif (scraper := self._scrapers.get(key.data)) is not None:
                self._serve(scraper)
        return iter(())

    def expire(self, now: float) -> Iterator[Callable[[], object]]:
        """Drop scrapers that take too long."""
        for scraper in list(self._scrapers.values()):
            if scraper.until > now:
                break
            self._drop(scraper)
        if self._pause is not None and self._pause <= now:
            self._pause = None
            self._selector.register(self._listener, selectors.EVENT_READ)
        return iter(())

    def next_deadline(self) -> float | None:
        """Return the time when ``expire`` is to be called."""
        times = [scraper.until for scraper in list(self._scrapers.values())[:1]]
        if self._pause is not None:
            times.append(self._pause)
        return min(times, default=None)

    def flush(self) -> None:
        """Do nothing: what can be sent has been."""

    def close(self) -> None:
        """End the scrapers and the socket."""
        answer.unregister(self)
        for scraper in list(self._scrapers.values()):
            self._drop(scraper)
        self._listener.close()
        self._selector.close()

    # --- scrapers --------------------------------------------------------------------------------

    def _accept(self) -> None:
        for _ in range(TURN):
            try:
                end, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # no descriptor to give: it would be readable all the time
                self._selector.unregister(self._listener)
                self._pause = time.monotonic() + PATIENCE
                return
            end.setblocking(False)
            while len(self._scrapers) >= SCRAPERS:
                self._drop(next(iter(self._scrapers.values())))
            self._scrapers[end] = Scraper(end, time.monotonic() + PATIENCE)
            self._selector.register(end, selectors.EVENT_READ, end)

    def _serve(self, scraper: Scraper) -> None:
        try:
            if not scraper.left and not self._read(scraper):
                return
            scraper.left = scraper.left[scraper.end.send(scraper.left) :]
        except BlockingIOError:
            return
        except OSError:  # it is gone
            self._drop(scraper)
            return
        if not scraper.left:
            self._drop(scraper)

    def _read(self, scraper: Scraper) -> bool:
        """Take a part of a request; return whether there is an answer now. Raises OSError."""
        data = scraper.end.recv(REQUEST_MAX)
        scraper.asked += data
        if not data or len(scraper.asked) > REQUEST_MAX:
            raise ConnectionResetError
        if not (b"\n\r\n" in scraper.asked or b"\n\n" in scraper.asked):
            return False
        scraper.left = memoryview(self._answer(scraper.asked))
        self._selector.modify(scraper.end, selectors.EVENT_WRITE, scraper.end)
        return True

    def _answer(self, asked: bytes) -> bytes:
        if not asked.startswith(b"GET "):
            return REFUSAL
        now = time.monotonic()
        if self._kept_until <= now:
            self._kept, self._kept_until = self._text(), now + FRESH
        head = f"HTTP/1.0 200 OK\r\nContent-Type: {TYPE}\r\nContent-Length: {len(self._kept)}\r\n"
        return head.encode("ascii") + b"\r\n" + self._kept

    def _drop(self, scraper: Scraper) -> None:
        del self._scrapers[scraper.end]
        self._selector.unregister(scraper.end)
        scraper.end.close()


def listener(path: str) -> socket.socket:
    """Return a socket that listens at a path, in the place of one that is left from before.

    Raises ConfigError.
    """
    writable_folder(path)
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.setblocking(False)
    try:
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                os.unlink(path)
        end.bind(path)
        os.chmod(path, MODE)
        end.listen(BACKLOG)
    except OSError as error:
        end.close()
        remedy = "remove what is there, or choose another path"
        raise ConfigError(
            f"no socket: {error.strerror or error}", path=path, remedy=remedy
        ) from None
    return end
