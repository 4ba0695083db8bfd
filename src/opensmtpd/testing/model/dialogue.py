"""The state of one SMTP session in the model, its replies, and the reports that they make.

Source: ``smtp_reply``, ``smtp_tx_rollback`` and ``smtp_free`` in ``smtp_session.c``.
"""

from typing import Protocol

from opensmtpd.testing.model.registry import Release
from opensmtpd.testing.model.transaction import Fate, Transaction

_REPORTED_MAX = 255
"""A longer address is cut for the report, which then lacks its end and is not sent."""


class SessionServer(Protocol):
    """The part of the model that a session needs."""

    release: Release

    def report(self, session: bytes, event: str, *fields: bytes | str) -> None:
        """Tell the filters, where they want to know."""

    def ask(self, session: "Dialogue", phase: str, argument: bytes) -> None:
        """Ask the filters about a command."""

    def ask_line(self, session: "Dialogue", line: bytes) -> None:
        """Send a line of a message through the filters."""

    def forget(self, session: "Dialogue") -> None:
        """Drop a session that is over."""

    def number(self, digits: int) -> str:
        """Return a number that was not used before, in hexadecimal."""


class Dialogue:
    """One session."""

    def __init__(self, server: SessionServer, id: bytes, rdns: bytes, address: bytes) -> None:
        self.server = server
        self.id = id
        """The session's 16 hexadecimal digits."""
        self.rdns, self.address = rdns, address
        self.replies: list[bytes] = []
        """Everything the client was told, without line ends."""
        self.transactions: list[Transaction] = []
        self.transaction: Transaction | None = None
        """The open one."""
        self.connected = True
        self.waiting = False
        """True while the client waits for a reply."""
        self.in_data = False
        """True in the middle of a message."""
        self.greeted = self.extended = self.tls = False
        self.identity = b""
        self.username: bytes | None = None
        self.junk = False
        """True if a filter junked the session (not only one message)."""
        self.phase = "connect"
        """The phase that the filters are asked about, or were last."""
        self.argument = b""
        """The argument of the command they are asked about."""
        self.credentials: tuple[bytes, str] = (b"", "pass")
        self.command_line = b""
        self.verb = ""

    def report(self, event: str, *fields: bytes | str) -> None:
        """Send a report about this session."""
        self.server.report(self.id, event, *fields)

    def open_transaction(self) -> Transaction:
        """Return the open transaction; there must be one."""
        assert self.transaction is not None
        return self.transaction

    def reply(self, text: bytes) -> None:
        """Tell the client something."""
        self.replies.append(text)
        self.report("protocol-server", text)
        if self.transaction is not None:
            self._report_result(self.transaction, text[:1])

    def _report_result(self, transaction: Transaction, digit: bytes) -> None:
        # smtpd goes by the first digit and the last command, so that a MAIL FROM in the middle of
        # a transaction is reported as failed for that transaction.
        msgid = transaction.msgid
        result = {b"2": "ok", b"3": "ok", b"4": "tempfail"}.get(digit, "permfail")
        if self.verb in ("mail-from", "rcpt-to") and digit != b"3":
            if self.verb == "mail-from" and digit == b"2":
                self.report("tx-begin", msgid)
            # The address as it was typed: a rewritten one is never reported.
            address, closed, _ = self.command_line.partition(b"<")[2].partition(b">")
            if closed and len(address) < _REPORTED_MAX:
                event = "tx-mail" if self.verb == "mail-from" else "tx-rcpt"
                self.report(event, msgid, result, address)
        elif self.verb == "data" and transaction.recipients and digit != b"2":
            self.report("tx-data", msgid, result)

    def roll_back(self, fate: Fate = "rolled back") -> None:
        """End the open transaction, if there is one, without its message."""
        if self.transaction is None:
            return
        transaction, self.transaction = self.transaction, None
        transaction.fate = fate
        self.in_data = False
        self.report("tx-rollback", transaction.msgid)
        self.report("tx-reset", transaction.msgid)

    def hang_up(self) -> None:
        """End the session."""
        if not self.connected:
            return
        self.roll_back()
        self.report("link-disconnect")
        self.connected = self.waiting = False
        self.server.forget(self)
