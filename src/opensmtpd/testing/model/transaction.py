"""A message in the model: its lines before and after the filters, and its fate."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Fate: TypeAlias = Literal["pending", "accepted", "rejected", "rolled back"]


@dataclass
class Transaction:
    """One MAIL FROM to its end.

    Lines are without line ends and dot-stuffing. They are the message as it left the filters;
    smtpd changes a few things after them (drops Bcc, completes bare addresses, adds Date and
    Message-ID on submission), which the model leaves out.
    """

    msgid: str
    """8 hexadecimal digits, as in reports."""
    sender: bytes
    """Without ``<>`` and source route, after a rewrite. (smtpd adds its name to a bare user.)"""
    recipients: list[bytes] = field(default_factory=list)
    notify: set[bytes] = field(default_factory=set)
    """The values of NOTIFY, of all recipients (RFC 3461)."""
    junk: bool = False
    fate: Fate = "pending"
    """Stays ``"pending"`` where a filter did not answer."""
    reply: bytes = b""
    """The reply to the message as a whole, ``b"250 2.0.0 … Message accepted for delivery"``."""
    trace: int = 0
    """The number of lines at the top of the message that are smtpd's own (X-Spam, Received)."""
    sent: list[bytes] = field(default_factory=list)
    """The lines that smtpd sent to the first filter, its own included."""
    lines: list[bytes] = field(default_factory=list)
    """The lines that came out of the last filter."""

    @property
    def content(self) -> bytes:
        """The message as it came out, each line with a line feed."""
        return b"".join([line + b"\n" for line in self.lines])

    @property
    def received(self) -> bytes:
        """The lines that smtpd itself put in front, each with a line feed."""
        return b"".join([line + b"\n" for line in self.sent[: self.trace]])
