"""The state of a session of filter-limit."""

from opensmtpd.filter import Session, StreamedMessage
from opensmtpd.mail.client import Client
from opensmtpd.mail.envelope import WholeEnvelope


class LimitedVisit:
    """The state of a session."""

    __slots__ = ("client", "envelope", "size")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.envelope = WholeEnvelope()
        self.size = 0
        """Bytes of the message, each line with CR LF."""


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
