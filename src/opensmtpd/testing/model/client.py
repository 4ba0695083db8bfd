"""A client of the modelled smtpd: its commands, and the effects of the filters' answers.

Source: ``smtp_command``, ``smtp_io`` and the case IMSG_FILTER_SMTP_PROTOCOL of
``smtp_session_imsg`` in ``smtp_session.c`` of OpenSMTPD 7.6.
"""

import base64
from collections.abc import Iterator
from typing import Literal

from opensmtpd.testing.model.checks import CHECKS, UNKNOWN
from opensmtpd.testing.model.dialogue import Dialogue
from opensmtpd.testing.model.effects import EFFECTS, banner, help_text
from opensmtpd.testing.model.syntax import valid_refusal

LINE_MAX = 65534
"""Bytes of the longest line of a message, without its line end (``SMTP_LINE_MAX``)."""
COMMAND_MAX = 2047
"""Bytes of the longest command line, without its line end (``LINE_MAX``)."""

_PHASE_OF = {
    phase.upper().replace("-", " ").encode("ascii"): phase for phase in CHECKS if phase != "commit"
}
"""The commands of clients, and their phases. (The one named "." is none that a client can give.)"""

_REPORT_NAMES = {"connect": "connected", "starttls": "tls"}  # lka_report_smtp_filter_response


def on_the_wire(message: bytes) -> Iterator[bytes]:
    """Return the lines of a message, dot-stuffed, and the final dot."""
    for line in message.removesuffix(b"\n").split(b"\n") if message else []:
        yield b"." + line if line.startswith(b".") else line
    yield b"."


class SmtpClient(Dialogue):
    """A connected client, made by ``Smtpd.connect``. Everything is bytes.

    smtpd knows no pipelining: to speak while ``waiting`` raises RuntimeError, and so does a command
    in the middle of a message, a line outside of one, or anything from a client that is gone.
    """

    # --- commands of a client -------------------------------------------------------------------

    def command(self, line: bytes) -> None:
        """Send a command line, without its line end."""
        self._may_speak(in_data=False)
        line = line.partition(b"\0")[0]  # to smtpd it is a C string
        if len(line) > COMMAND_MAX:
            self._bad_input(b"500 5.0.0 Command line too long")
            return
        known = self.identity or self.tls  # before, smtpd hides nothing
        hidden = known and line.upper().startswith(b"AUTH PLAIN ")
        self.report("protocol-client", b"AUTH PLAIN ********" if hidden else line)
        with_colon = line.upper().startswith((b"MAIL FROM:", b"RCPT TO:"))
        verb, found, rest = line.partition(b":" if with_colon else b" ")
        argument = rest.lstrip() if found else None
        phase = _PHASE_OF.get(verb.upper(), "")
        self.verb, self.command_line = phase, line
        refusal = CHECKS[phase](self, argument) if phase else UNKNOWN
        if refusal is not None:
            self.reply(refusal)
        elif phase == "help":  # answered without the filters, though they may register for it
            help_text(self)
        else:
            self._ask(phase, argument or b"")

    def connect(self) -> None:
        """Open the session. ``Smtpd.connect`` does it."""
        self._ask("connect", b"")

    def helo(self, identity: bytes = b"client.example") -> None:
        """Send HELO."""
        self.command(b"HELO " + identity)

    def ehlo(self, identity: bytes = b"client.example") -> None:
        """Send EHLO."""
        self.command(b"EHLO " + identity)

    def starttls(self) -> None:
        """Send STARTTLS; where it is allowed TLS is set up at once."""
        self.command(b"STARTTLS")

    def auth(
        self,
        username: bytes = b"alice",
        password: bytes = b"secret",
        result: Literal["pass", "fail", "error"] = "pass",
    ) -> None:
        """Send AUTH PLAIN; ``result`` is how the check of the password ends."""
        self.credentials = (username, result)
        secret = base64.b64encode(b"\0%s\0%s" % (username, password))
        self.command(b"AUTH PLAIN " + secret)

    def mail(self, sender: bytes = b"bob@remote.example") -> None:
        """Send MAIL FROM; the address goes without ``<>``, empty for a bounce."""
        self.command(b"MAIL FROM:<%s>" % sender)

    def rcpt(self, recipient: bytes = b"alice@example.com") -> None:
        """Send RCPT TO; the address goes without ``<>``."""
        self.command(b"RCPT TO:<%s>" % recipient)

    def data(self) -> None:
        """Send DATA."""
        self.command(b"DATA")

    def line(self, line: bytes) -> None:
        """Send a line of the message as it goes over the wire: dot-stuffed, without line end."""
        self._may_speak(in_data=True)
        if len(line) > LINE_MAX:
            self._bad_input(b"500 5.0.0 Line too long")
            return
        line = line.removesuffix(b"\r").partition(b"\0")[0]  # to smtpd a line is a C string
        if line == b".":
            self.in_data, self.waiting = False, True
        else:
            self.open_transaction().sent.append(line.removeprefix(b"."))
        self.server.ask_line(self, line)

    def send(self, message: bytes) -> None:
        """Send a message with LF or CRLF at its line ends, dot-stuffing it, and the final dot."""
        for line in on_the_wire(message):
            if self.connected:
                self.line(line)

    def rset(self) -> None:
        """Send RSET."""
        self.command(b"RSET")

    def noop(self) -> None:
        """Send NOOP."""
        self.command(b"NOOP")

    def help(self) -> None:
        """Send HELP."""
        self.command(b"HELP")

    def quit(self) -> None:
        """Send QUIT."""
        self.command(b"QUIT")

    def vanish(self) -> None:
        """Drop the connection, in the middle of a command or a message too."""
        self.hang_up()

    def time_out(self) -> None:
        """Stay silent until smtpd gives up."""
        if self.connected:
            self.report("timeout")
            self.hang_up()

    def _may_speak(self, *, in_data: bool) -> None:
        if not self.connected:
            raise RuntimeError("the client is gone")
        if self.waiting:
            raise RuntimeError(f"the client still waits for the answer to {self.phase}")
        if self.in_data != in_data:
            raise RuntimeError(f"the client is {'' if self.in_data else 'not '}inside a message")

    def _bad_input(self, reply: bytes) -> None:
        self.reply(reply)
        self.hang_up()

    def _ask(self, phase: str, argument: bytes) -> None:  # smtp_filter_phase
        self.phase, self.argument, self.waiting = phase, argument, True
        self.server.ask(self, phase, argument)

    # --- answers of the filters -----------------------------------------------------------------

    def answered(self, decision: str, parameter: bytes) -> None:
        """Take the filters' decision about the command."""
        self.waiting = False
        phase = self.phase
        name = _REPORT_NAMES.get(phase, phase)
        if decision in ("reject", "disconnect"):
            text = parameter if valid_refusal(parameter) else b"421 Internal server error"
            decision = "disconnect" if text.startswith(b"421") else decision
            self.report("filter-response", name, decision, text)
            self._refuse(text, disconnect=decision == "disconnect")
            return
        replaced = decision in ("rewrite", "report")
        self.report("filter-response", name, decision, *([parameter] if replaced else []))
        if decision == "junk" and self.transaction:
            self.transaction.junk = True
        elif decision == "junk":
            self.junk = True
        if phase == "connect":
            banner(self)
            return
        argument = parameter if replaced else self.argument
        refusal = CHECKS[phase](self, argument) if decision == "rewrite" else None
        if refusal is not None:
            self.reply(refusal)
        else:
            EFFECTS[phase](self, argument)

    def _refuse(self, text: bytes, *, disconnect: bool) -> None:
        self.reply(text)
        if self.phase == "commit" and self.transaction:
            self.transaction.reply = text
            self.roll_back("rejected")
        if disconnect:
            self.hang_up()

    def filtered(self, line: bytes) -> None:
        """Take a line of the message as it came out of the filters. (``smtp_tx_dataline``)"""
        if line == b".":
            self.report("protocol-client", b".")
            self._ask("commit", b"")
        else:
            self.open_transaction().lines.append(line.removeprefix(b"."))
