"""Which lines of messages are of their bodies, on their way to a filter and back.

A body begins behind the first empty line, or with the first line that is no field of a header.
"""

from opensmtpd.capture.format import Speaker

_MESSAGES_MAX = 4096
"""Messages under way that are remembered; the lines of an older one count as its body."""


class Bodies:
    """Follows messages; the lines behind the first empty one are the body."""

    def __init__(self) -> None:
        self._in_header: dict[bytes, list[bool]] = {}
        """True for each side that is in the header, by session and token."""
        self._lossy = False

    def keeps(self, speaker: Speaker, key: bytes, line: bytes) -> bool:
        """Take a line of a message; return whether it is of the header, or holds nothing."""
        state = self._in_header.get(key)
        if state is None and speaker is Speaker.SMTPD:
            state = self._begin(key, line)
        if state is None:
            return line in (b"", b".")
        if line == b"." and speaker is Speaker.PLUGIN:
            del self._in_header[key]
        elif line in (b"", b"."):
            state[speaker] = False
        else:
            state[speaker] = state[speaker] and (line[0] in b" \t" or b":" in line)
            return state[speaker]
        return True

    def lost(self) -> None:
        """Forget all messages: an empty line may be among what is missing."""
        self._in_header.clear()
        self._lossy = True

    def _begin(self, key: bytes, line: bytes) -> list[bool]:
        # The first line may have been lost. smtpd puts this field in front of each message.
        header = not self._lossy or line.startswith(b"Received: ")
        state = self._in_header[key] = [header, header]
        if len(self._in_header) > _MESSAGES_MAX:
            del self._in_header[next(iter(self._in_header))]
        return state
