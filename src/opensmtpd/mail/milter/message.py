"""A message that milters see, one after another, when it is complete, and that they may change."""

from collections.abc import Iterator
from typing import Any

from opensmtpd.errors import DecisionError, Refused, WorkerError
from opensmtpd.filter import Disconnect, EditedMessage, Field, Reject
from opensmtpd.filter.field import items
from opensmtpd.log import log
from opensmtpd.mail.milter.client import UNAVAILABLE, MilterClient
from opensmtpd.mail.milter.frames import DATA_MAX
from opensmtpd.mail.milter.header import HeaderEdits, perform
from opensmtpd.mail.milter.outcome import MailEdits, MilterFate, MilterOutcome
from opensmtpd.mail.milter.process import orders
from opensmtpd.mail.policy.action import harmless
from opensmtpd.worker.frames import LOADED_MAX, FrameBuffer

PART = 256 << 10
"""Bytes of the message in one request to the worker, about."""
_MBOX = (b"From ", b">From ")
"""A line in front of a header that an mbox has had there: it does not end it."""
CANNOT_CHANGE = Reject(451, "4.3.0 A milter wants to change the envelope of this message")


class MilterMail(EditedMessage):
    """A message for the milters of its client's session."""

    def __init__(self, client: MilterClient) -> None:
        self.client = client
        self.header_size = 0
        self.whole = self.before_body = 0
        """The number of fields in front of the body that milters see, and that of bytes."""
        self.edits: MailEdits | None = None

    def header(self, lines: list[bytes]) -> None:
        """Count a run of header lines: they go to the milters field by field."""
        self.header_size += sum(map(len, lines)) + len(lines)

    async def end(self) -> None:
        """Show the message to all milters, and make their changes. Raises Refused."""
        client = self.client
        if client.message == "under way":
            client.begin()
            decision = client.decide(await self.shown())
            if isinstance(decision, Reject | Disconnect):
                raise Refused(decision)
            if self.edits is not None:
                self.change(self.edits)
        if client.message == "failed":
            raise Refused(UNAVAILABLE)
        if client.discarded:
            log("milter-discarded", client.session.id, action="junk")
            self.prepend(b"X-Spam", b"Yes")

    async def shown(self) -> MilterOutcome:
        """Show the message to all milters, ask for their changes, and return the outcome."""
        client = self.client
        self.whole, self.before_body = self.cut()
        try:
            await self.send_fields()
            outcome = MilterOutcome(MilterFate.GOES_ON)
            for index in range(len(client.milters.names)):
                outcome = await self.shown_to(index)
                if outcome.fate is not MilterFate.GOES_ON:
                    return outcome
                if not client.number:  # what the milters before this one decided is lost, too
                    return outcome if index == 0 else MilterOutcome(MilterFate.FAILED)
        except WorkerError as error:
            return client.lost(error)
        try:
            self.edits = MailEdits(*await self.asked_edits())
        except WorkerError as error:  # with --fail open, too: the milters have decided
            client.lost(error)
            return MilterOutcome(MilterFate.FAILED)
        return outcome

    async def shown_to(self, index: int) -> MilterOutcome:
        """Show the message to one milter."""
        client, macros = self.client, self.client.macros()
        outcome = await client.step(orders.CONTENT, index, macros)
        parts = self.body_parts() if outcome.wanted else iter(())
        for part in parts:
            if outcome.fate is not MilterFate.GOES_ON or not outcome.wanted or not client.number:
                break
            outcome = await client.step(orders.BODY, index, part)
        if outcome.fate is MilterFate.GOES_ON and client.number:
            outcome = await client.step(orders.EOM, index, macros)
        return outcome

    @property
    def own(self) -> int:
        """The number of fields on top that are smtpd's, and of filters before this one.

        Sendmail and Postfix do not show theirs to milters, either.
        """
        names = [each.name.lower() for each in self.fields]
        return names.index(b"received") + 1 if b"received" in names else 0

    def cut(self) -> tuple[int, int]:
        """Return where the body begins for milters: the values of ``whole`` and ``before_body``.

        A line amid the header that is no field begins it, as for Sendmail and Postfix: no milter
        would see that line otherwise. The fields behind it are seen as such, too, for programs that
        read mail may take them for either.
        """
        fields, own = self.fields, self.own
        if sum(len(each.raw) + 1 for each in fields) == self.header_size:
            return len(fields) - own, self.header_size + 1  # with the blank line
        reader, header = self.reader(), b""
        while len(header) < self.header_size and (block := reader.read(PART)):
            header += block
        above, whole, size = own > 0, 0, 0
        for item in items(header[: self.header_size]):
            if isinstance(item, Field):
                whole += not above
                above = above and item.name.lower() != b"received"
            elif not above and (whole or not item.startswith(_MBOX)):
                return whole, size
            size += len(item.raw if isinstance(item, Field) else item) + 1
        return whole, size + 1

    async def send_fields(self) -> None:
        """Hand the fields of the header to the worker, in parts."""
        own, part, size = self.own, list[list[bytes]](), 0
        for field in self.fields[own:]:
            value = value_of(field)
            part.append([field.name, value])
            size += len(field.name) + len(value)
            if size > PART:
                await self.client.ask(orders.FIELDS, part, own, False)
                part, size = [], 0
        await self.client.ask(orders.FIELDS, part, own, True)

    def body_parts(self) -> Iterator[bytes]:
        """Yield the body as it came, in whole lines, each with a line feed."""
        reader, skip = self.reader(), self.before_body
        while block := reader.read(PART):
            part, skip = block[skip:], max(0, skip - len(block))
            if part:
                yield part

    def change(self, edits: MailEdits) -> None:
        """Make the changes of all milters. Raises Refused.

        New fields at the end go above the last one in front of a line that is no field: others may
        take all behind that line for body.
        """
        cut = self.before_body <= self.header_size
        last = max(self.whole - cut, -self.own)
        if edits.envelope:
            log("milter-envelope", self.client.session.id, wants=",".join(edits.envelope),
                reason="smtpd lets no filter change the envelope of a message")  # fmt: skip
            if self.client.milters.refuses_envelopes:
                raise Refused(CANNOT_CHANGE)
        try:
            made = HeaderEdits(
                edits.removed,
                [(at, value) for at, value in edits.replaced],
                [(min(at, last), name, value) for at, name, value in edits.inserted],
            )
            perform(self, made, self.own)
            if edits.body is not None and cut:
                raise DecisionError("a new body from a milter, and lines amid the header")
            if edits.body is not None:
                self.replace_body(edits.body)
        except DecisionError as error:
            log("milter-unusable", self.client.session.id, reason=error)
            raise Refused(UNAVAILABLE) from error
        for reason in edits.quarantined:
            log("milter-quarantine", self.client.session.id, reason=reason)
            self.prepend(b"X-Quarantine", harmless(reason)[:900].encode("ascii"))
        if edits.quarantined:
            self.prepend(b"X-Spam", b"Yes")

    async def asked_edits(self) -> list[Any]:
        """Return the edits that the worker has, in as many parts as they take."""
        parts, come, length = list[bytes](), 0, 1
        while come < length:
            length, part = await self.client.ask(orders.EDITS, come)
            if not part:
                raise WorkerError("the changes of milters are lost")
            parts.append(part)
            come += len(part)
        found: list[Any] = next(FrameBuffer(LOADED_MAX).feed(b"".join(parts)))
        return found


def value_of(field: Field) -> bytes:
    """Return all behind the colon, with line feeds where it is folded: a frame's worth of it."""
    return field.raw.partition(b":")[2][:DATA_MAX]
