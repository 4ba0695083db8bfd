"""One question at one of Dovecot's sockets, within a time, on a connection of its own.

Dovecot's process does not end at a restart or a new configuration before its clients leave: a
connection that is kept would be answered by it, out of the old configuration, for ever.
"""

from opensmtpd.backends.dovecot.codec import VERSION, LineReader, split
from opensmtpd.backends.network.stream import connect
from opensmtpd.errors import ServerLost

MAJOR = b"1"
NUMBER = b"1"
"""Of the only request of a connection."""


class LineChannel:
    """An open connection, of which no line has been read."""

    def __init__(self, path: str, greeting: bytes, until: float) -> None:
        """Connect, and say the version and the greeting. Raises ServerLost, ServerLate."""
        self._stream = connect(path, until)
        self._lines = LineReader()
        try:
            self._stream.send(VERSION + greeting, until)
        except BaseException:
            self.close()
            raise

    def receive(self, until: float) -> list[bytes]:
        """Return the fields of the next line. Raises ServerLost, ServerLate."""
        while (line := self._lines.line()) is None:
            self._lines.feed(self._stream.receive(until))
        fields = split(line)
        if fields[0] == b"VERSION" and fields[1:2] != [MAJOR]:
            raise ServerLost("Dovecot speaks another version of the protocol")
        return fields

    def ask(self, request: bytes, until: float) -> tuple[bytes, list[bytes]]:
        """Return the verb and the fields of the reply to a request. Raises ServerLost, ServerLate.

        The request has NUMBER. What comes before it, or is the reply to another one, is no answer.
        """
        if not self._lines.empty:
            raise ServerLost("Dovecot said more than it was asked")
        self._stream.send(request, until)
        verb, *fields = self.receive(until)
        if fields[:1] != [NUMBER] or not self._lines.empty:
            raise ServerLost("Dovecot answered another question")
        return verb, fields[1:]

    def close(self) -> None:
        """Close it. Never raises."""
        self._stream.close()
