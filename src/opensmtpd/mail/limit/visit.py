"""The state of a session of filter-limit."""

from opensmtpd.filter import Session, StreamedMessage
from opensmtpd.mail.client import Client

REPORTED_MAX = 254
"""Bytes of an address that smtpd reports, at most. It takes longer ones."""
UNREPORTED_MAX = 1000
"""Recipients with longer addresses that count for a message: smtpd takes no more by default."""


class LimitedVisit:
    """The state of a session."""

    __slots__ = ("client", "sender", "size", "unreported")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.size = 0
        """Bytes of the message, each line with CR LF."""
        self.sender = b""
        """The last MAIL FROM that was asked for."""
        self.unreported: list[bytes] = []
        """The recipients that were asked for behind it and that smtpd does not report."""

    def begin(self, sender: bytes) -> None:
        """Take note of a MAIL FROM."""
        self.sender = sender
        self.unreported = []

    def add(self, recipient: bytes) -> None:
        """Take note of a RCPT TO."""
        if len(recipient) > REPORTED_MAX and len(self.unreported) < UNREPORTED_MAX:
            self.unreported.append(recipient)


class CountedMessage(StreamedMessage):
    """A message whose bytes are counted, and that is left as it is."""

    def __init__(self, visit: LimitedVisit) -> None:
        self.visit = visit
        self._blank = 2

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Count a run of lines, with CR LF behind each."""
        self.visit.size += sum(map(len, lines)) + 2 * len(lines)
        return lines

    def body(self, lines: list[bytes]) -> list[bytes]:
        """Count a run of lines, and the blank line before the first of them."""
        self.visit.size += self._blank
        self._blank = 0
        return self.header(lines)


def visit_of(session: Session) -> LimitedVisit:
    """Return the state of a session; one whose beginning was not reported is local."""
    if session.data is None:
        session.data = LimitedVisit(Client.of(session))
    visit: LimitedVisit = session.data
    return visit


def sender_of(session: Session) -> bytes:
    """Return the sender of a transaction, one that is not reported, too; empty for a bounce."""
    return visit_of(session).sender if session.sender is None else session.sender


def recipients_of(session: Session) -> list[bytes]:
    """Return the recipients of a transaction.

    Those with long addresses are among them where smtpd refused them, too: it does not say so.
    """
    return [*session.recipients, *visit_of(session).unreported]
