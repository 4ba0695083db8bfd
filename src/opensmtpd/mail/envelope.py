"""The envelope of a transaction, with the addresses that smtpd takes and does not report.

smtpd takes addresses of 255 bytes and more, and sends no tx-mail and tx-rcpt for them (so do 6.8,
7.6 and 7.9). A filter that goes by the attributes of ``Session`` alone sees nothing of such mail.
"""

from opensmtpd.filter import Session

REPORTED_MAX = 254
"""Bytes of an address that smtpd reports, at most."""
UNREPORTED_MAX = 1000
"""Recipients with longer addresses that are kept: smtpd takes no more by default."""


def without_route(argument: bytes) -> bytes:
    """Return the address in an argument of MAIL FROM or RCPT TO, as smtpd takes it.

    That of ``@relay.example:bob@example.org`` is ``bob@example.org``: smtpd leaves out all up to
    the first colon, whatever it is (``smtp_mailaddr`` in ``smtp_session.c``). It asks filters with
    the argument, and reports it, as it was typed.
    """
    user, at, domain = argument.rpartition(b"@")
    if not at:
        user, domain = domain, b""
    _, colon, rest = user.partition(b":")
    user = rest if colon else user
    return user + at + domain if user or domain else b""


class WholeEnvelope:
    """The envelope: what was asked for stands in the place of what is not reported.

    Addresses have no source routes.
    """

    __slots__ = ("_sender", "_unreported")

    def __init__(self) -> None:
        self._sender = b""
        self._unreported: list[bytes] = []

    def begin(self, sender: bytes) -> None:
        """Take note of a MAIL FROM."""
        self._sender = sender
        self._unreported = []

    def add(self, recipient: bytes) -> None:
        """Take note of a RCPT TO, before smtpd's verdict on it."""
        if len(recipient) > REPORTED_MAX and len(self._unreported) < UNREPORTED_MAX:
            self._unreported.append(recipient)

    def sender(self, session: Session) -> bytes:
        """Return the sender of a transaction; empty for a bounce."""
        return without_route(self._sender if session.sender is None else session.sender)

    def recipients(self, session: Session) -> list[bytes]:
        """Return the recipients of a transaction.

        Those with long addresses are among them where smtpd refused them, too: it does not say so.
        """
        return [without_route(each) for each in (*session.recipients, *self._unreported)]
