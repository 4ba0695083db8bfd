"""The state of a session of filter-greylist."""

from typing import NamedTuple

from opensmtpd.answer import Deferred
from opensmtpd.filter import Session
from opensmtpd.mail.client import Client
from opensmtpd.mail.envelope import WholeEnvelope


class Standing(NamedTuple):
    """The standing of a client that sends with a sender."""

    white: bool
    """True where it passes."""
    name: str = ""
    """The key under which it is known: its network, or the domain that SPF lets it send for."""


class GreylistVisit:
    """The state of a session."""

    __slots__ = ("client", "delay", "envelope", "sender", "standing", "white")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.envelope = WholeEnvelope()
        self.sender: bytes | None = None
        """MAIL FROM, None before it. smtpd reports none of 255 bytes and more."""
        self.standing: Deferred[Standing] | None = None
        """None where mail is not greylisted."""
        self.white = False
        """True where its client has become white with this transaction."""
        self.delay = 0.0
        """Seconds that the message was delayed, 0 for none."""

    def end_transaction(self) -> None:
        """Stop asking."""
        if self.standing is not None:
            self.standing.cancel()
        self.sender, self.standing = None, None
        self.white, self.delay = False, 0.0


def visit_of(session: Session) -> GreylistVisit:
    """Return the state of a session; one whose beginning was not reported is local."""
    if session.data is None:
        session.data = GreylistVisit(Client.of(session))
    visit: GreylistVisit = session.data
    return visit
