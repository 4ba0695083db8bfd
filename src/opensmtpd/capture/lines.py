"""Bytes in any chunking to runs of whole lines, in bounded memory."""

from opensmtpd.capture.format import LINE_MAX


class WholeLines:
    """Holds the start of a line back until its end comes.

    A run is not cut into its lines: most of them are looked at by nobody.
    """

    def __init__(self) -> None:
        self.dropped = 0
        """Bytes of lines that were too long, or whose start is not known."""
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return the lines that they complete, with their line feeds."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data)
            return b""
        if self._skipping:
            start = data.find(b"\n") + 1
            self.dropped += start
            self._skipping = False
            lines = data[start:end]
        else:
            lines = b"".join([*self._parts, memoryview(data)[:end]])
        self._parts, self._size = [], 0
        if end < len(data):
            self._hold(data[end:])
        return lines

    def lost(self) -> None:
        """Bytes are missing here: drop the line around them."""
        self.dropped += self._size
        self._parts, self._size, self._skipping = [], 0, True

    def _hold(self, data: bytes) -> None:
        if self._skipping:
            self.dropped += len(data)
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > LINE_MAX:
            self.lost()
