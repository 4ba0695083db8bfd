"""The kinds of message handlers: what a filter returns from ``on_message``."""

from collections.abc import Sequence
from typing import TypeAlias

from opensmtpd.answer import Answer

Front: TypeAlias = Sequence[bytes]
"""Header lines without line ends."""


class HeldMessage:
    """A handler that sees a message while it is held, then may put header lines in front of it.

    Lines are bytes without line ends, dot-stuffing undone; folded fields come as several lines.
    """

    def header(self, lines: list[bytes]) -> None:
        """See a run of header lines; called as often as they arrive."""

    def body(self, lines: list[bytes]) -> None:
        """See a run of body lines; never called for a message without a body."""

    def end(self) -> Answer[Front]:
        """Return the header lines to put in front. The message follows, untouched."""
        return ()


class StreamedMessage:
    """A handler that sees runs of lines and returns the lines to send in their place.

    To return the same list object passes the run untouched, at no cost. The blank line between
    header and body is no line of either: it is sent before the first body line that is sent.
    """

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to send in place of a run of header lines."""
        return lines

    def body(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to send in place of a run of body lines."""
        return lines

    def end(self) -> list[bytes]:
        """Return lines to append to the message.

        They are the whole message where ``header`` and ``body`` returned no line. Otherwise they
        stand in its body, or in its header where no blank line came.
        """
        return []


MessageHandler: TypeAlias = HeldMessage | StreamedMessage
"""An object that ``on_message`` may return, besides None."""
