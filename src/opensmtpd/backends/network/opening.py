"""Open a connection on an asyncio loop, in a worker that talks to many servers at a time."""

import asyncio
import errno
import os
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from opensmtpd.errors import ServerLost, Unavailable

if TYPE_CHECKING:
    import ssl

_ERRNO = re.compile(r"\[Errno ([0-9]+)\]")
NEXT_AFTER = 0.25
"""Seconds until the next address of a host is tried, too (RFC 8305 section 5)."""
OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
"""Errors that are no fault of a server."""
AGAIN, AGAIN_MAX = 0.02, 0.5
"""Seconds until a unix socket is tried again at which too many wait: each time twice as long."""
REMEMBERED = 10.0
"""Seconds for which a host is asked at the address that has answered: to resolve its name, in a
thread, and to race its addresses take a third of the time of a short request."""
_addresses: dict[tuple[str, int], tuple[str, float]] = {}
"""Host and port to that address, and the time until which the host is not resolved anew."""


class ServerConnection(asyncio.Protocol):
    """A connection to a server, which ``opened`` opens.

    Those who inherit take what comes in ``data_received``, and hear in ``ended`` that no more
    comes. It is the protocol of its connection itself: the streams of asyncio take twice the time.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.lost = False
        """True when the connection is no more."""
        self.fault = ""
        """Why it is no more, where the system says so."""
        self._room: asyncio.Future[None] | None = None
        """Done when the system has taken most of what was written; None where it has."""

    def ended(self) -> None:
        """Take note that no more comes; called once or more."""

    async def write(self, parts: Sequence[bytes]) -> bool:
        """Write bytes, wait until the system has taken most of them, and return whether it does."""
        if self.transport is not None and not self.lost:
            self.transport.writelines(parts)
            if self.transport.is_closing():  # the loop tells of an error in its next turn
                await asyncio.sleep(0)
            if self._room is not None:
                await self._room
        return not self.lost

    def abort(self) -> None:
        """Close the connection, at once. Never raises."""
        if self.transport is not None:
            with suppress(Exception):
                self.transport.abort()

    # --- what the loop tells ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Write no more."""
        self.lost = True
        self.fault = "" if error is None else reason(error)
        self.ended()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Have ``write`` wait."""
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let ``write`` go on."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None


async def opened(
    connection: ServerConnection,
    place: str | tuple[str, int],
    context: "ssl.SSLContext | None" = None,
    name: str = "",
) -> None:
    """Connect to the path of a unix socket, or to a host and a port; with ``context``, within TLS.

    ``name`` is looked for in the certificate. The name of a host is resolved in a thread. Nothing
    here bounds the time. Raises ServerLost, and Unavailable where this machine is at fault.
    """
    whose = None if context is None else name
    try:
        if isinstance(place, str):
            end = await _connected(place)
            await asyncio.get_running_loop().create_unix_connection(
                lambda: connection, sock=end, ssl=context, server_hostname=whose
            )
        else:
            await _joined(connection, place, context, whose)
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) in OURS:
            raise Unavailable(reason(error)) from None
        raise ServerLost(reason(error)) from None


async def _connected(path: str) -> socket.socket:
    """Return a socket that is connected to a unix socket. Raises OSError.

    Where too many wait at one, Linux says EAGAIN, which asyncio takes for a connection under way.
    """
    end, pause = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), AGAIN
    try:
        end.setblocking(False)
        while True:
            with suppress(BlockingIOError):
                end.connect(path)
                return end
            await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_MAX)
    except BaseException:
        end.close()
        raise


async def _joined(
    connection: ServerConnection,
    place: tuple[str, int],
    context: "ssl.SSLContext | None",
    whose: str | None,
) -> None:
    """Connect to a host, at its address of before if that answers still, or the DNS does not."""
    loop, (host, port) = asyncio.get_running_loop(), place
    connect = partial(loop.create_connection, lambda: connection, port=port, ssl=context)
    address, until = _addresses.get(place, ("", 0.0))
    if time.monotonic() < until:
        try:
            await connect(address, server_hostname=whose)
        except asyncio.CancelledError:  # it was waited for in vain
            _addresses[place] = address, 0.0
            raise
        except OSError:  # the host may have another one by now
            pass
        else:
            return
    try:
        transport, _ = await connect(host, server_hostname=whose, happy_eyeballs_delay=NEXT_AFTER)
    except socket.gaierror:
        if not address:
            raise
        transport, _ = await connect(address, server_hostname=whose)
    peer = transport.get_extra_info("peername")
    _addresses[place] = (peer[0], time.monotonic() + REMEMBERED)


def reason(error: Exception) -> str:
    """Return words for a failure of the system or of TLS, for the log."""
    refused = getattr(error, "verify_message", None)
    if refused:
        return f"its certificate is refused: {refused}"
    numbers = _ERRNO.findall(str(error))  # asyncio has words of its own, and of several addresses
    if numbers:
        return os.strerror(int(numbers[0]))
    text = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(text or error) or type(error).__name__
