"""A connection to a socketmap server."""

from collections.abc import Sequence
from typing import Any

from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.backends.network.stream import Stream, connect
from opensmtpd.backends.socketmap.codec import FORMS, ReplyTooLong
from opensmtpd.backends.socketmap.reply import meaning


class SocketmapConnection:
    """Asks one question after another: servers were written for clients that wait.

    A question is ``[map, key]``; a reply is the value, or None where there is no row.
    """

    def __init__(self, data: Any) -> None:
        """``data`` are the form on the wire and the place: a path, or a host and a port."""
        form, place = data
        self._question, self._reply = FORMS[form].question, FORMS[form].reply
        self._place: str | tuple[str, int] = place if isinstance(place, str) else tuple(place)
        self._stream: Stream | None = None

    def connect(self, until: float) -> None:
        """Connect. Raises ServerLost, ServerLate."""
        self.close()
        self._stream = connect(self._place, until)

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the replies. Raises ServerLost, ServerLate, ServerRefused."""
        return [self._ask(name, key, until) for name, key in questions]

    def _ask(self, name: str, key: str, until: float) -> str | None:
        question = self._question(name, key)
        if question is None:
            return None  # no server has such a row
        stream = self._stream
        if stream is None:  # closed below
            stream = self._stream = connect(self._place, until)
        data = stream.turn(question, until)
        try:
            while (reply := self._reply(data)) is None:
                data += stream.receive(until)
        except ReplyTooLong:
            self.close()  # what is left of it must not answer the next question
            raise
        return meaning(reply)

    def check(self, until: float) -> list[Fault]:
        """Return no fault: a server cannot be asked which maps it has."""
        return []

    def close(self) -> None:
        """Close it. Never raises."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
