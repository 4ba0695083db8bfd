"""The milters of one client of smtpd, one after another: each sees what those before it changed."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from math import inf
from time import monotonic
from typing import TypeAlias

from opensmtpd.errors import LocalError, ProtocolError
from opensmtpd.mail.milter.commands import Command, chunks
from opensmtpd.mail.milter.header import MilterHeader
from opensmtpd.mail.milter.modifications import apply
from opensmtpd.mail.milter.outcome import MailEdits, MilterFate, MilterOutcome
from opensmtpd.mail.milter.process.connection import MilterConnection, Timeouts
from opensmtpd.mail.milter.replies import (
    AddRecipient,
    ChangeSender,
    DeleteRecipient,
    EnvelopeModification,
    MilterReply,
    PlainReply,
    QuarantineMail,
    refusal,
)
from opensmtpd.mail.milter.session import MilterSession, Sent
from opensmtpd.mail.place import Place

Macros: TypeAlias = Mapping[str, bytes]


class MilterChain:
    """The connections of a client, and what they have done to its message.

    With ``opens``, a milter that cannot be asked is left out from then on; without, the outcome is
    FAILED, and the client needs another chain.
    """

    def __init__(self, places: Sequence[Place], timeouts: Timeouts, *, opens: bool) -> None:
        self._connections: list[MilterConnection | None] = [
            MilterConnection(place, timeouts) for place in places
        ]
        self._opens = opens
        self._until = inf
        self._lost: list[tuple[int, str]] = []
        self._fields: list[tuple[bytes, bytes]] = []
        self._header = MilterHeader([])
        self._body: bytes | None = None
        self._skips = False
        self._discarded = False
        """True where a milter wants the message to be thrown away."""
        self._quarantined: list[str] = []
        self._envelope: list[str] = []

    def begin(self, until: float) -> None:
        """Take note of the time when all milters must be done with what smtpd asks.

        It is given with each step. Those of a question of smtpd's have the same one.
        """
        if until != self._until:
            self._until = until
            for each in self._there():
                each.until = until

    # --- the session and the envelope -----------------------------------------------------------

    async def connect(
        self, hostname: bytes, address: str, port: int, macros: Macros
    ) -> MilterOutcome:
        """Connect to all at the same time, and tell them of the client."""
        results = await asyncio.gather(*map(self._open, range(len(self._connections))))
        for index, error in enumerate(results):
            if error is not None and not self._lose(index, error):
                return self._failed(index)
        client = ip_address(address)
        return await self._greeted(lambda session: session.connect(hostname, client, port, macros))

    async def _open(self, index: int) -> Exception | None:
        connection = self._connections[index]
        assert connection is not None
        try:
            await connection.open()
        except (LocalError, ProtocolError) as error:
            return error
        return None

    async def helo(self, identity: bytes, macros: Macros) -> MilterOutcome:
        """Tell them of HELO."""
        return await self._greeted(lambda session: session.helo(identity, macros))

    async def mail(self, sender: bytes, macros: Macros) -> MilterOutcome:
        """Tell them of MAIL FROM; a message that is under way is forgotten."""
        self.abort()
        return await self._all(lambda session: session.mail(sender, macros))

    async def rcpt(self, recipient: bytes, macros: Macros) -> MilterOutcome:
        """Tell them of RCPT TO."""
        return await self._all(lambda session: session.rcpt(recipient, macros))

    async def data(self, macros: Macros) -> MilterOutcome:
        """Tell them of DATA."""
        return await self._all(lambda session: session.data(macros))

    async def _all(self, step: Callable[[MilterSession], Sent]) -> MilterOutcome:
        """Take a step with all, up to the first that minds."""
        for index in range(len(self._connections)):
            outcome = await self._step(index, step)
            if outcome is not None:
                return outcome
        return self._goes_on(wanted=any(not each.session.passed for each in self._there()))

    async def _greeted(self, step: Callable[[MilterSession], Sent]) -> MilterOutcome:
        """Take a step of the session with all."""
        outcome = await self._all(step)
        return outcome._replace(wanted=any(not each.session.over for each in self._there()))

    async def _step(
        self, index: int, step: Callable[[MilterSession], Sent]
    ) -> MilterOutcome | None:
        """Take a step with one; return the outcome if it ends there."""
        connection = self._connections[index]
        if connection is None:
            return None
        try:
            reply = await connection.step(step(connection.session))
        except (LocalError, ProtocolError) as error:
            return None if self._lose(index, error) else self._failed(index)
        return self._judged(index, reply)

    def _judged(self, index: int, reply: MilterReply | None) -> MilterOutcome | None:
        if reply is PlainReply.DISCARD:
            self._discarded = True
        refused = refusal(reply)
        if refused is None:
            self._skips = reply is PlainReply.SKIP
            return None
        code, text = refused
        return MilterOutcome(MilterFate.REFUSED, code, text, index, lost=self._told())

    # --- the message ----------------------------------------------------------------------------

    def fields(self, fields: Iterable[Sequence[bytes]], own: int, *, last: bool) -> None:
        """Take fields of the header, of which ``own`` more stand on top that no milter sees.

        They are smtpd's Received, which indices count, and fields of filters and smtpd above it.
        """
        self._fields += [(name, value) for name, value in fields]
        if last:
            self._header, self._fields = MilterHeader(self._fields, min(own, 1)), []

    async def content(self, index: int, macros: Macros) -> MilterOutcome:
        """Send the header to a milter, and a body that one before it has written.

        It has an equal share of the time that is left for it and those behind it.
        """
        connection = self._connections[index]
        if connection is not None:
            now, others = monotonic(), len(self._connections) - index
            connection.until = now + (self._until - now) / others
        self._skips = False
        for name, value in self._header.fields():
            outcome = await self._step(index, _field(name, value))
            if outcome is not None:
                return outcome
            if self._skips:
                break
        self._skips = False
        outcome = await self._step(index, lambda session: session.eoh(macros))
        if outcome is not None:
            return outcome
        if self._body is not None:
            outcome = await self._send_body(index, self._body)
        return outcome or self._goes_on(wanted=self._wants_body(index))

    async def body(self, index: int, part: bytes) -> MilterOutcome:
        """Send whole lines of the body to a milter, each with a line feed."""
        outcome = await self._send_body(index, part)
        return outcome or self._goes_on(wanted=self._wants_body(index))

    async def _send_body(self, index: int, lines: bytes) -> MilterOutcome | None:
        for piece in chunks(lines):
            if self._skips:
                break
            outcome = await self._step(index, _chunk(piece))
            if outcome is not None:
                return outcome
        return None

    def _wants_body(self, index: int) -> bool:
        """Return whether a milter is to get more of the body."""
        connection = self._connections[index]
        if connection is None or self._body is not None or self._skips:
            return False
        session = connection.session
        return not session.passed and session.options.wants(Command.BODY)

    async def eom(self, index: int, macros: Macros) -> MilterOutcome:
        """Tell a milter that the message is over, and make its modifications."""
        outcome = await self._step(index, lambda session: session.eom(macros))
        connection = self._connections[index]
        if outcome is not None or connection is None:
            return outcome or self._goes_on()
        modifications, connection.modifications = connection.modifications, []
        try:
            made = apply(
                self._header,
                modifications,
                leading_space=connection.session.options.leading_space,
            )
        except ProtocolError as error:
            return self._goes_on() if self._lose(index, error) else self._failed(index)
        if made.body is not None:
            self._body = made.body
        for each in made.envelope:
            self._note(each)
        return self._goes_on()

    def _note(self, modification: EnvelopeModification) -> None:
        match modification:
            case QuarantineMail(reason):
                self._quarantined.append(reason)
            case AddRecipient():
                self._envelope.append("add recipient")
            case DeleteRecipient():
                self._envelope.append("delete recipient")
            case ChangeSender():
                self._envelope.append("change sender")

    def edits(self) -> MailEdits:
        """Return all that was changed, and forget the message."""
        edits = self._header.edits()
        made = MailEdits(
            edits.removed,
            [list(each) for each in edits.replaced],
            [list(each) for each in edits.inserted],
            self._body,
            self._quarantined,
            self._envelope,
        )
        self._forget()
        return made

    # --- the end --------------------------------------------------------------------------------

    def abort(self) -> None:
        """Forget the message. Raises LocalError while a milter works on it."""
        for each in self._there():
            each.abort()
        self._forget()

    def _forget(self) -> None:
        self._header, self._fields = MilterHeader([]), []
        self._body, self._skips, self._discarded = None, False, False
        self._quarantined, self._envelope = [], []

    def close(self) -> None:
        """Close all connections."""
        for each in self._there():
            each.close()

    def _there(self) -> list[MilterConnection]:
        return [each for each in self._connections if each is not None]

    def _lose(self, index: int, error: Exception) -> bool:
        """Take note that a milter cannot be asked any more; return whether that is no failure."""
        connection = self._connections[index]
        if connection is not None:
            connection.close()
        self._connections[index] = None
        self._lost.append((index, str(error)))
        return self._opens

    def _failed(self, index: int) -> MilterOutcome:
        return MilterOutcome(MilterFate.FAILED, milter=index, lost=self._told())

    def _goes_on(self, *, wanted: bool = True) -> MilterOutcome:
        return MilterOutcome(
            MilterFate.GOES_ON, wanted=wanted, discarded=self._discarded, lost=self._told()
        )

    def _told(self) -> tuple[tuple[int, str], ...]:
        """Return the milters that were lost since the last outcome."""
        told, self._lost = tuple(self._lost), []
        return told


def _field(name: bytes, value: bytes) -> Callable[[MilterSession], Sent]:
    return lambda session: session.header(name, value)


def _chunk(data: bytes) -> Callable[[MilterSession], Sent]:
    return lambda session: session.body(data)
