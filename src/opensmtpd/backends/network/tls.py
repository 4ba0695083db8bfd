"""A stream within TLS. The module ssl takes 5 MB: nobody loads this one who has no TLS.

RFC 8446; the name or address of the server is looked for in its certificate as RFC 9525 says.
"""

import socket
import ssl
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from opensmtpd.backends.network.stream import (
    CHUNK,
    CLOSED,
    UNASKED,
    Stream,
    connected,
    late,
    lost,
    wait,
)
from opensmtpd.errors import ConfigError, ServerLost

T = TypeVar("T")


def context(authorities: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Return a context that trusts a file of certificates, the system's where it is "".

    ``certificate`` and ``key`` are files, and show the server who we are. Raises ConfigError.
    """
    try:
        made = ssl.create_default_context(cafile=authorities or None)
    except OSError as error:
        raise _unusable(authorities, error) from None
    if certificate:
        try:
            made.load_cert_chain(certificate, key or None, password=_no_password)
        except OSError as error:
            raise _unusable(certificate, error) from None
    return made


def system_authorities() -> tuple[str, ...]:
    """Return the file and the folder of the system's authorities, which each handshake may read."""
    paths = ssl.get_default_verify_paths()
    return tuple(path for path in (paths.cafile, paths.capath) if path)


def _no_password() -> NoReturn:
    """Keep OpenSSL from asking at a terminal."""
    raise ssl.SSLError(0, "the key has a password")


def _unusable(path: str, error: OSError) -> ConfigError:
    """Return the error: OpenSSL names the file in none of its own."""
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    remedy = "name a file in the form PEM that this user may read"
    return ConfigError(f"cannot use it for TLS: {reason}", path=path, remedy=remedy)


class TlsStream(Stream):
    """An open connection within TLS."""

    _end: ssl.SSLSocket

    def __init__(self, end: socket.socket, made: ssl.SSLContext, name: str, until: float) -> None:
        """``end`` is connected to the server whose certificate must have ``name``.

        Raises ServerLost, also for a certificate that is not trusted, and ServerLate.
        """
        super().__init__(end)
        try:
            self._end = self._retried(lambda: _wrapped(end, made, name), until)
            self._retried(self._end.do_handshake, until)
        except BaseException:
            self.close()
            raise

    def send(self, data: bytes, until: float) -> None:
        """Send all bytes. Raises ServerLost, ServerLate."""
        left = memoryview(data)
        while left:
            left = left[self._retried(lambda: self._end.send(left), until) :]  # noqa: B023  at once

    def receive(self, until: float) -> bytes:
        """Return the next bytes, at least one. Raises ServerLost, ServerLate."""
        if time.monotonic() >= until:
            late()
        data = self._retried(lambda: self._end.recv(CHUNK), until)
        if not data:
            raise ServerLost(CLOSED)
        return data

    def turn(self, data: bytes, until: float) -> bytes:
        """Do what ``quiet``, ``send`` and ``receive`` do. Raises ServerLost, ServerLate."""
        self.quiet()
        self.send(data, until)
        return self.receive(until)

    def quiet(self) -> None:
        """Raise ServerLost where it said something that nobody asked for, or closed.

        What TLS itself says between the answers is read, and no reason.
        """
        try:
            self._end.recv(1)
        except ssl.SSLWantReadError:
            return
        except OSError as error:
            _lost(error)
        raise ServerLost(UNASKED)

    def _retried(self, step: Callable[[], T], until: float) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                ready = self._readable
            except ssl.SSLWantWriteError:
                ready = self._writable
            except OSError as error:
                _lost(error)
            wait(ready, until)


def connect(
    place: str | tuple[str, int], made: ssl.SSLContext, name: str, until: float
) -> TlsStream:
    """Connect to a place, as ``stream.connect`` does, and begin TLS."""
    return TlsStream(connected(place, until), made, name, until)


def _wrapped(end: socket.socket, made: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    return made.wrap_socket(end, server_hostname=name, do_handshake_on_connect=False)


def _lost(error: OSError) -> NoReturn:
    """Raise ServerLost for an error of the system or of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        raise ServerLost(f"its certificate is refused: {error.verify_message}") from None
    if isinstance(error, ssl.SSLError):
        raise ServerLost(f"TLS fails: {error.reason or type(error).__name__}") from None
    lost(error)
