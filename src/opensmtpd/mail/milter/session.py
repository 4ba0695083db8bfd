"""One connection to a milter, without I/O: what to send at each step, and what the replies mean.

A session is that of one SMTP client, as for Sendmail and Postfix. Its steps are those of SMTP::

    negotiate, connect, helo, then for each message
    mail, rcpt, data, header, eoh, body, eom

Those that the milter does not want, and all that come when it is done with the message or the
session, send nothing, and no reply to them is due: the caller need not know. ``abort`` ends a
message before its time, ``quit`` the session.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from opensmtpd.errors import LocalError, ProtocolError
from opensmtpd.mail.milter import commands
from opensmtpd.mail.milter.commands import Command
from opensmtpd.mail.milter.frames import Frame, MilterFrames, frame
from opensmtpd.mail.milter.negotiation import OFFER, MilterActions, Negotiated, read_answer
from opensmtpd.mail.milter.order import (
    CONTENT,
    IN_MESSAGE,
    MESSAGE,
    OF_SESSION,
    ORDER,
    REPEATED,
    Phase,
)
from opensmtpd.mail.milter.replies import (
    MODIFICATIONS,
    MilterReply,
    PlainReply,
    read_reply,
    refusal,
)

MODIFIED_MAX = 48 << 20
"""Bytes that the modifications of a message may have: with room to spare in a reply to the front.
"""
_WEIGHT = 100
"""Bytes that each counts besides its data, for there may be any number of empty ones."""
FIELDS_MAX = {MilterActions.ADDHDRS: 200, MilterActions.CHGHDRS: 10_000}
"""Modifications of the header of a message, by their action.

To insert a field takes time that grows with their number. To change or remove one does not: a
milter may remove all of a name, and a client sends as many as a header can have.
"""
_NO_MACROS: Mapping[str, bytes] = {}


class Sent(NamedTuple):
    """A step."""

    data: bytes
    """The bytes to send; empty for nothing."""
    due: bool
    """True where the milter replies: the next step has to wait."""


_NOTHING = Sent(b"", False)


class MilterSession:
    """The state of one connection.

    The caller has the clock: a reply that does not come in time is the end of the connection, and
    PROGRESS gives another one as much time again. It remembers verdicts, too: one on the session
    counts for all that follows, and DISCARD for the message that it came with.

    Macros are given with each step, all that have a value now, by their names as in
    ``negotiation.MACROS``; those that the milter wants at this stage are sent. They are sent for
    steps that it does not want, too, as Sendmail and Postfix do.

    All steps raise LocalError where they are out of order, or a reply is still due; and
    ProtocolError where the milter has begun to say something that nobody asked for. After a
    ProtocolError, here or from ``receive``, nothing is left to do but to close the connection.
    """

    def __init__(self, *, modified_max: int = MODIFIED_MAX) -> None:
        self._frames = MilterFrames()
        self._phase = Phase.NEW
        self._due: Command | None = None
        self._skipped: Command | None = None
        self._passed = False
        self._modified = 0
        self._fields = dict.fromkeys(FIELDS_MAX, 0)
        self._modified_max = modified_max
        self._options: Negotiated | None = None

    # --- where it is ----------------------------------------------------------------------------

    @property
    def options(self) -> Negotiated:
        """The outcome of the negotiation. Raises LocalError before that."""
        if self._options is None:
            raise LocalError("nothing is negotiated with the milter yet")
        return self._options

    @property
    def due(self) -> bool:
        """Return whether a reply is due."""
        return self._due is not None

    @property
    def content(self) -> bool:
        """Return whether the content of a message is under way: a reply may take longer then."""
        return self._phase in CONTENT

    @property
    def passed(self) -> bool:
        """Return whether the milter is done with the message."""
        return self._passed or self.over

    @property
    def over(self) -> bool:
        """Return whether the milter is done with the session, by a verdict or as it is closed."""
        return self._phase in (Phase.OVER, Phase.CLOSED)

    # --- the steps ------------------------------------------------------------------------------

    def negotiate(self) -> Sent:
        """Begin. The reply is a Negotiated."""
        if self._phase is not Phase.NEW:
            raise LocalError("a negotiation with a milter that was begun before")
        self._phase, self._due = Phase.OFFERED, Command.OPTNEG
        return Sent(frame(Command.OPTNEG.value, OFFER), True)

    def connect(
        self,
        hostname: bytes,
        address: IPv4Address | IPv6Address,
        port: int = 0,
        macros: Mapping[str, bytes] = _NO_MACROS,
    ) -> Sent:
        """Tell of the client; see ``commands.connection``."""
        return self._step(Command.CONNECT, commands.connection(hostname, address, port), macros)

    def helo(self, identity: bytes, macros: Mapping[str, bytes] = _NO_MACROS) -> Sent:
        """Tell of HELO or EHLO; it may come again, as behind STARTTLS."""
        return self._step(Command.HELO, commands.strings([identity]), macros)

    def mail(self, sender: bytes, macros: Mapping[str, bytes] = _NO_MACROS) -> Sent:
        """Tell of MAIL FROM, the address without ``<>``: a message begins."""
        sent = self._step(Command.MAIL, commands.envelope(sender), macros)
        self._passed, self._modified, self._fields = False, 0, dict.fromkeys(FIELDS_MAX, 0)
        return sent

    def rcpt(self, recipient: bytes, macros: Mapping[str, bytes] = _NO_MACROS) -> Sent:
        """Tell of RCPT TO, the address without ``<>``."""
        return self._step(Command.RCPT, commands.envelope(recipient), macros)

    def data(self, macros: Mapping[str, bytes] = _NO_MACROS) -> Sent:
        """Tell of DATA."""
        return self._step(Command.DATA, b"", macros)

    def header(self, name: bytes, value: bytes) -> Sent:
        """Send a field. ``value`` is all behind the colon, with line feeds where it is folded."""
        if self._options is not None and not self._options.leading_space:
            value = value.removeprefix(b" ")  # no tab, and no second space
        return self._step(Command.HEADER, commands.header_field(name, value))

    def eoh(self, macros: Mapping[str, bytes] = _NO_MACROS) -> Sent:
        """Tell that the header is over."""
        return self._step(Command.EOH, b"", macros)

    def body(self, chunk: bytes) -> Sent:
        """Send a piece of the body, as ``commands.chunks`` makes them."""
        return self._step(Command.BODY, chunk)

    def eom(self, macros: Mapping[str, bytes] = _NO_MACROS) -> Sent:
        """Tell that the message is over: modifications come, and then a verdict."""
        return self._step(Command.EOM, b"", macros)

    def abort(self) -> bytes:
        """Forget the message, and return the bytes to send; the milter does not reply.

        Raises LocalError while a reply is due: ``quit`` is what remains then.
        """
        if self._due is not None:
            raise LocalError("a message cannot be aborted while the milter's reply is due")
        self._passed = False
        if self._phase not in MESSAGE:
            return b""
        self._phase = Phase.SESSION
        return frame(Command.ABORT.value)

    def quit(self) -> bytes:
        """End the session, whatever is due, and return the bytes to send before closing."""
        last = b"" if self._phase in (Phase.NEW, Phase.CLOSED) else frame(Command.QUIT.value)
        self._close()
        return last

    def _step(
        self, command: Command, content: bytes, macros: Mapping[str, bytes] = _NO_MACROS
    ) -> Sent:
        if self._due is not None:
            raise LocalError(f"{command.name} to a milter whose reply is due")
        if self._phase is Phase.OVER or (self._passed and command in IN_MESSAGE):
            return _NOTHING
        if not self._frames.empty:
            self._close()
            raise ProtocolError("the milter said something that nobody asked for")
        before, after = ORDER[command]
        if self._phase not in before:
            raise LocalError(f"{command.name} to a milter after {self._phase.name}")
        self._phase = after
        if command is not self._skipped:
            self._skipped = None
        known = self.options.macro_data(command, macros)
        data = frame(Command.MACRO.value, known) if known else b""
        if self._skipped is not None or not self.options.wants(command):
            return Sent(data, False)
        due = self.options.replies(command)
        if due:
            self._due = command
        return Sent(data + frame(command.value, content), due)

    # --- the replies ----------------------------------------------------------------------------

    def receive(self, data: bytes) -> Iterator[Negotiated | MilterReply]:
        """Take bytes of the milter, and yield the replies that they complete; take all of these.

        PROGRESS and modifications come before the reply that was due. Raises ProtocolError for what
        is no reply, was not due, may not come at this step, was not negotiated, or is too much.
        """
        try:
            for each in self._frames.feed(data):
                yield self._replied(each)
        except ProtocolError:
            self._close()
            raise

    def _replied(self, received: Frame) -> Negotiated | MilterReply:
        command = self._due
        if command is None:
            raise ProtocolError("a reply from the milter that nobody asked for")
        if command is Command.OPTNEG:
            if received.letter != Command.OPTNEG.value:
                raise ProtocolError(f"a reply {received.letter!r} from the milter to the offer")
            self._options = read_answer(received.data)
            self._phase, self._due = Phase.READY, None
            return self._options
        action = MODIFICATIONS.get(received.letter)
        if action is not None:
            self._check_modification(command, action, received)
        reply = read_reply(received)
        if action is None and reply is not PlainReply.PROGRESS:
            if reply is PlainReply.SKIP and command not in REPEATED:
                raise ProtocolError(f"the milter skips {command.name}")
            if reply is PlainReply.DISCARD and command in OF_SESSION:  # as for Postfix
                raise ProtocolError(f"the milter discards a message at {command.name}")
            self._due = None
            self._conclude(command, reply)
        return reply

    def _check_modification(self, command: Command, action: MilterActions, got: Frame) -> None:
        if command is not Command.EOM:
            raise ProtocolError(f"a modification from the milter at {command.name}")
        if action not in self.options.actions:
            raise ProtocolError(f"a modification from the milter without {action.name}")
        self._modified += len(got.data) + _WEIGHT
        if action in self._fields:
            self._fields[action] += 1
        many = any(self._fields[each] > most for each, most in FIELDS_MAX.items())
        if many or self._modified > self._modified_max:
            raise ProtocolError("too many modifications from the milter")

    def _conclude(self, command: Command, reply: MilterReply) -> None:
        """Set the phase that a reply leads to, as in Postfix (``milter8_event``, ``milter8.c``)."""
        if reply is PlainReply.SKIP:
            self._skipped = command
        elif reply is PlainReply.CONTINUE:
            if command is Command.EOM:
                self._phase = Phase.SESSION
        elif command in OF_SESSION or reply in (PlainReply.CONN_FAIL, PlainReply.SHUTDOWN):
            self._phase = Phase.OVER
        elif command is not Command.RCPT or refusal(reply) is None:
            self._phase, self._passed = Phase.SESSION, True

    def _close(self) -> None:
        self._phase, self._due = Phase.CLOSED, None
