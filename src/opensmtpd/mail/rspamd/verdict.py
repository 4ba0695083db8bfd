"""The verdict of rspamd on a message, as plain data that a worker can send."""

from typing import Any, NamedTuple


class RspamdVerdict(NamedTuple):
    """An answer of rspamd, without what nobody needs here."""

    action: str
    """``reject``, ``soft reject``, ``add header``, ``rewrite subject``, ``greylist``,
    ``no action``, or one that the administrator of rspamd has made."""
    score: float
    required: float
    """The score from which messages are spam."""
    reply: str
    """The text for the client, "" for none."""
    subject: bytes | None
    """The new subject, None for the old."""
    signatures: list[bytes]
    """Values of DKIM-Signature fields."""
    symbols: list[list[Any]]
    """Name (bytes) and score (float) of each symbol; only where they are written somewhere."""
    removed: list[list[Any]]
    """Name (bytes) and number (int) of fields to remove: 0 for all, from 1 on from the top, from -1
    on from the end."""
    added: list[list[Any]]
    """Name (bytes), value (bytes) and place of fields to add. The place is an int as rspamd's own
    milter counts: 0 is on top, -1 is at the end. It is None for a field without one."""
    left_out: list[str]
    """Names of fields to add that are too large."""
    spam: list[list[bytes]]
    """Names and values of the fields that mark spam, in the place of ``X-Spam: yes``."""
    harmless: bool
    """True where the action is not to be taken, only the fields."""
    quarantine: bool
    """True where a message is to be marked as spam that would be refused otherwise."""
    impossible: list[str]
    """Names of what rspamd wants, and no filter of smtpd can do."""
