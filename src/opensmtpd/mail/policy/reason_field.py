"""Header fields that tell the recipient why a client was judged as it was."""

from opensmtpd.filter import StreamedMessage
from opensmtpd.mail.policy.action import harmless
from opensmtpd.mail.policy.verdict import Reason


def header_line(reason: Reason) -> bytes:
    """Return the field ``X-Spam-Reason`` for a reason, for readers and their filing rules.

    It has one line of at most 900 bytes: a line of a message has 998 at most (RFC 5322 section
    2.1.1).
    """
    return harmless(f"X-Spam-Reason: {reason.check}; {reason.text}")[:900].encode("ascii")


class PrependedFields(StreamedMessage):
    """A message with header fields prepended."""

    def __init__(self, lines: list[bytes]) -> None:
        """Take the lines of the fields, without line ends."""
        self.lines = lines

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Return a run of header lines; the first run has the fields in front."""
        front, self.lines = self.lines, []
        return [*front, *lines] if front else lines
