"""A connection of bytes to a server, each step of which ends at an absolute time.

A time limit of the socket's own would begin anew with every byte that a slow server sends.
"""

import errno
import os
import select
import socket
from time import monotonic, sleep
from typing import NoReturn

from opensmtpd.backends.network.names import resolve
from opensmtpd.errors import ServerLate, ServerLost

CHUNK = 65536
"""Bytes that are received at once."""
CLOSED = "it has closed the connection"
UNASKED = "it has closed the connection, or speaks unasked"
_FULL = 0.005
"""Seconds until a unix socket is tried again whose queue was full: it tells by no event."""


class Stream:
    """An open connection. ``until`` is a time of ``time.monotonic``.

    After ServerLost and ServerLate nothing but ``close`` may be called.
    """

    def __init__(self, end: socket.socket) -> None:
        """``end`` is connected; it is the stream's from now on."""
        end.setblocking(False)
        self._end = end
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(end, select.POLLIN)
        self._writable.register(end, select.POLLOUT)

    def send(self, data: bytes, until: float) -> None:
        """Send all bytes. Raises ServerLost, ServerLate."""
        left = memoryview(data)
        while left:
            try:
                left = left[self._end.send(left) :]
            except BlockingIOError:
                wait(self._writable, until)
            except OSError as error:
                lost(error)

    def receive(self, until: float) -> bytes:
        """Return the next bytes, at least one. Raises ServerLost, ServerLate."""
        wait(self._readable, until)
        try:
            data = self._end.recv(CHUNK)
        except BlockingIOError:
            return self.receive(until)
        except OSError as error:
            lost(error)
        if not data:
            raise ServerLost(CLOSED)
        return data

    def turn(self, data: bytes, until: float) -> bytes:
        """Do what ``quiet``, ``send`` and ``receive`` do, in less time where nothing is in the way.

        Raises ServerLost, ServerLate.
        """
        readable, end, sent = self._readable, self._end, 0
        if readable.poll(0):
            raise ServerLost(UNASKED)
        try:
            sent = end.send(data)
            left = (until - monotonic()) * 1000
            in_time = sent == len(data) and left > 0 and readable.poll(left)
            if in_time and (received := end.recv(CHUNK)):
                return received
        except BlockingIOError:
            pass
        except OSError as error:
            lost(error)
        if sent < len(data):
            self.send(data[sent:], until)
        return self.receive(until)

    def quiet(self) -> None:
        """Raise ServerLost where it said something that nobody asked for, or closed."""
        if self._readable.poll(0):
            raise ServerLost(UNASKED)

    def close(self) -> None:
        """Close it. Never raises."""
        self._end.close()


def connect(place: str | tuple[str, int], until: float) -> Stream:
    """Connect to the path of a unix socket, or to a host and a port.

    The addresses of a host share the time. Raises ServerLost, ServerLate.
    """
    return Stream(connected(place, until))


def connected(place: str | tuple[str, int], until: float) -> socket.socket:
    """Return the socket alone, as ``connect`` does."""
    if isinstance(place, str):
        return _connected(socket.AF_UNIX, place, until)
    addresses = resolve(*place, until)
    for left in range(len(addresses), 1, -1):
        family, address = addresses[-left]
        now = monotonic()
        try:
            return _connected(family, address, now + (until - now) / left)
        except (ServerLost, ServerLate):
            continue
    family, address = addresses[-1]
    return _connected(family, address, until)


def _connected(family: int, address: object, until: float) -> socket.socket:
    end = None
    try:
        end = socket.socket(family, socket.SOCK_STREAM)
        end.setblocking(False)
        if family != socket.AF_UNIX:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        _connect(end, address, until)
        return end
    except OSError as error:
        if end is not None:
            end.close()
        lost(error)
    except BaseException:
        if end is not None:
            end.close()
        raise


def _connect(end: socket.socket, address: object, until: float) -> None:
    while (code := end.connect_ex(address)) == errno.EAGAIN:  # type: ignore[arg-type]  # path, or pair
        if monotonic() + _FULL > until:
            late()
        sleep(_FULL)
    if code in (errno.EINPROGRESS, errno.EINTR):
        ready = select.poll()
        ready.register(end, select.POLLOUT)
        wait(ready, until)
        code = end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def wait(ready: select.poll, until: float) -> None:
    """Return when there is an event. Raises ServerLate."""
    left = until - monotonic()
    if left <= 0 or not ready.poll(left * 1000):
        late()


def late() -> NoReturn:
    """Raise ServerLate."""
    raise ServerLate("it does not answer in time")


def lost(error: OSError) -> NoReturn:
    """Raise ServerLost for an error of the system."""
    raise ServerLost(error.strerror or str(error)) from None
