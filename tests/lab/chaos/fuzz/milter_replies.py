"""Replies of a milter: at each step of its connection, and as what becomes of a message."""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, cast

from lab.chaos.fuzz.one_message import FIELDS, result
from opensmtpd.errors import ProtocolError, Refused, ServerLost
from opensmtpd.mail.milter.client import refused
from opensmtpd.mail.milter.header import MilterHeader
from opensmtpd.mail.milter.message import MilterMail, value_of
from opensmtpd.mail.milter.modifications import apply
from opensmtpd.mail.milter.negotiation import MACROS
from opensmtpd.mail.milter.outcome import MailEdits, MilterFate, MilterOutcome
from opensmtpd.mail.milter.replies import MilterReply, QuarantineMail, refusal
from opensmtpd.mail.milter.reply_text import ReplyCode
from opensmtpd.mail.milter.session import MilterSession, Sent
from opensmtpd.worker.frames import LOADED_MAX, FrameBuffer, pack

KNOWN = {name: b"value" for names in MACROS.values() for name in names}
BODY = (b"text\r\n", b"more\r\n")
CLIENT = SimpleNamespace(
    session=SimpleNamespace(id="7641df9771b4ed00"),
    milters=SimpleNamespace(refuses_envelopes=False),
)
"""As much of a client as changes of a message need."""


def wire(data: bytes) -> bytes:
    """Return the bytes of a milter: as they are, or behind a bar each word between bars a frame."""
    first, *words = data.split(b"|")
    return data if first else b"".join([len(word).to_bytes(4) + word for word in words])


class Milter:
    """Says its bytes, no more than are due: in whole frames, or one by one."""

    def __init__(self, data: bytes, *, frames: bool) -> None:
        self.session = MilterSession()
        self.replies: list[Any] = []
        """All replies so far."""
        self.fault = ""
        """The error that ended the connection."""
        self._left, self._frames = data, frames

    def step(self, sent: Sent) -> list[Any]:
        """Reply to a step. Raises ProtocolError, and ServerLost at the end of the bytes."""
        session, start = self.session, len(self.replies)
        assert sent.due is session.due
        while session.due:
            size = 4 + int.from_bytes(self._left[:4]) if self._frames else 1
            if not self._left:
                raise ServerLost("it has closed the connection")
            piece, self._left = self._left[:size], self._left[size:]
            self.replies.extend(session.receive(piece))
        return self.replies[start:]

    def message(self) -> list[Any]:
        """Take the steps of a message, and return the replies to its end."""
        session, refusals = self.session, list[ReplyCode]()
        steps: list[Callable[[], Sent]] = [
            partial(session.mail, b"a@example.org", KNOWN),
            partial(session.rcpt, b"b@example.net", KNOWN),
            partial(session.rcpt, b"c@example.net", KNOWN),
            partial(session.data, KNOWN),
            *[partial(session.header, *field) for field in FIELDS],
            partial(session.eoh, KNOWN),
            *[partial(session.body, piece) for piece in BODY],
        ]
        for number, step in enumerate(steps):
            done = session.over or (session.passed and number > 0)
            sent = step()
            assert not done or sent == Sent(b"", False)
            refusals += filter(None, map(refusal, self.step(sent)))
        replies = self.step(session.eom(KNOWN))
        return refusals or replies

    def run(self) -> None:
        """Take the steps of a session with two messages, and do to each what was said."""
        session = self.session
        try:
            self.step(session.negotiate())
            self.step(session.connect(b"a.example.org", ip_address("192.0.2.1"), 25, KNOWN))
            self.step(session.helo(b"a.example.org", KNOWN))
            for _ in range(2):
                said = self.message()
                result(_Mail(said, leading_space=session.options.leading_space))
                session.abort()
        except ProtocolError as error:
            self.fault = str(error)
            assert (session.over, session.due, session.quit()) == (True, False, b"")
        except ServerLost as error:
            self.fault = str(error)
        session.quit()
        assert session.over


class _Mail(MilterMail):
    """Does to a message what a milter has replied to its end."""

    def __init__(self, replies: list[MilterReply], *, leading_space: bool) -> None:
        super().__init__(cast(Any, CLIENT))
        self._replies, self._leading_space = replies, leading_space

    def end(self) -> Any:  # at once: nobody has to be asked
        for code in filter(None, map(refusal, self._replies)):
            outcome = MilterOutcome(MilterFate.REFUSED, code.code, code.text)
            raise Refused(refused(MilterOutcome.of(outcome.plain())))
        seen = [(field.name, value_of(field)) for field in self.fields[self.own :]]
        assert seen == [*FIELDS]
        header = MilterHeader(seen)
        try:
            made = apply(header, self._replies, leading_space=self._leading_space)
        except ProtocolError:
            assert header.fields() == seen
            return
        edits = header.edits()
        reasons = [each.reason for each in made.envelope if isinstance(each, QuarantineMail)]
        lists = [list(map(list, each)) for each in (edits.replaced, edits.inserted)]
        packed = pack([edits.removed, *lists, made.body, reasons, []], LOADED_MAX)
        self.change(MailEdits(*next(FrameBuffer(LOADED_MAX).feed(packed))))


def milter_replies(data: bytes) -> None:
    """A milter that says anything: errors are ProtocolError alone, and smtpd is told what is legal.

    However its bytes come, they mean the same.
    """
    said = wire(data)
    one, other = Milter(said, frames=True), Milter(said, frames=False)
    one.run()
    other.run()
    assert (one.replies, one.fault) == (other.replies, other.fault)
