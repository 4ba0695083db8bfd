"""A connection to one milter on an asyncio loop."""

import asyncio
from contextlib import suppress
from math import inf
from time import monotonic
from typing import NamedTuple

from opensmtpd.backends.network.opening import ServerConnection, opened
from opensmtpd.errors import ProtocolError, ServerLate, ServerLost
from opensmtpd.mail.milter.negotiation import Negotiated
from opensmtpd.mail.milter.replies import MilterReply, Modification, PlainReply
from opensmtpd.mail.milter.reply_text import ReplyCode
from opensmtpd.mail.milter.session import MilterSession, Sent
from opensmtpd.mail.place import Place

CLOSED = "it has closed the connection"
WAITING_MAX = 1 << 20
"""Bytes of a milter that wait to be read; it has to wait with more."""


class Timeouts(NamedTuple):
    """Seconds, as of Postfix (``milter_connect_timeout`` and so on)."""

    connect: float
    command: float
    content: float
    """For each step from the header on; it begins anew when the milter says that it is at work."""


class MilterBytes(ServerConnection):
    """The bytes of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self._came = bytearray()
        self._over = False
        self._wakes: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> bool:
        """Return whether anything has come that nobody has read."""
        return bool(self._came)

    async def read(self) -> bytes:
        """Return what has come, as soon as anything has. Raises ServerLost."""
        while not self._came and not self._over:
            self._wakes = asyncio.get_running_loop().create_future()
            await self._wakes
        if not self._came:
            raise ServerLost(self.fault or CLOSED)
        data = bytes(self._came)
        self._came.clear()
        if self.transport is not None and not self.lost:
            self.transport.resume_reading()
        return data

    def data_received(self, data: bytes) -> None:
        """Keep what has come."""
        self._came += data
        if len(self._came) > WAITING_MAX and self.transport is not None:
            self.transport.pause_reading()
        self._wake()

    def ended(self) -> None:
        """Have ``read`` say so."""
        self._over = True
        self._wake()

    def eof_received(self) -> None:
        """Close: a milter that says no more is of no use."""
        self.ended()

    def _wake(self) -> None:
        if self._wakes is not None and not self._wakes.done():
            self._wakes.set_result(None)


class MilterConnection:
    """A connection, with the protocol on it. Methods raise ServerLost, ServerLate, ProtocolError:
    ``close`` is the only thing to do then.
    """

    def __init__(self, place: Place, timeouts: Timeouts) -> None:
        self._place, self._timeouts = place, timeouts
        self._bytes = MilterBytes()
        self.session = MilterSession()
        self.until = inf
        """The time of ``time.monotonic`` when the milter is late, whatever it is at."""
        self.modifications: list[Modification] = []
        """Those of the message so far."""

    async def open(self) -> None:
        """Connect, and negotiate."""
        try:
            async with self._within(self._timeouts.connect):
                await opened(self._bytes, self._place)
        except TimeoutError:
            raise ServerLate("no connection in time") from None
        await self.step(self.session.negotiate())

    async def step(self, sent: Sent) -> MilterReply | None:
        """Send a step, and return the reply where one is due; modifications are kept.

        What has come before is no reply to it, and would be taken for one.
        """
        if sent.data and self._bytes.waiting:
            raise ProtocolError("the milter said something that nobody asked for")
        content = self.session.content
        seconds = self._timeouts.content if content else self._timeouts.command
        try:
            if sent.data:
                async with self._within(seconds):
                    if not await self._bytes.write([sent.data]):
                        raise ServerLost(self._bytes.fault or CLOSED)
            if not sent.due:
                return None
            reply: MilterReply | None = None
            while self.session.due:
                async with self._within(seconds):
                    data = await self._bytes.read()
                for each in self.session.receive(data):
                    reply = self._sorted(each) or reply
            return reply
        except TimeoutError:
            raise ServerLate("it does not answer in time") from None

    def _within(self, seconds: float) -> asyncio.Timeout:
        """Return the limit of a wait; the clock of the loop is that of ``time.monotonic``."""
        return asyncio.timeout_at(min(monotonic() + seconds, self.until))

    def _sorted(self, reply: Negotiated | MilterReply) -> MilterReply | None:
        """Keep a modification; return a reply that ends the step."""
        if isinstance(reply, PlainReply):
            return None if reply is PlainReply.PROGRESS else reply
        if isinstance(reply, ReplyCode):
            return reply
        if not isinstance(reply, Negotiated):
            self.modifications.append(reply)
        return None

    def abort(self) -> None:
        """Forget the message. Raises LocalError while a reply is due."""
        data = self.session.abort()
        self.modifications = []
        if data and self._bytes.transport is not None:
            self._bytes.transport.write(data)

    def close(self) -> None:
        """Say goodbye, and close, at once where the milter does not read. Never raises."""
        transport = self._bytes.transport
        if transport is None:
            return
        with suppress(Exception):
            if transport.get_write_buffer_size():
                transport.abort()
            else:
                transport.write(self.session.quit())
                transport.close()
