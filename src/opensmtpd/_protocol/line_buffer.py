"""Bytes in any chunking to complete lines, in bounded memory."""

LINE_MAX = 1 << 20
"""Bytes of one line that are kept at the most.

smtpd sends lines of at most 65,534 bytes of payload and a prefix of less than 2,048 (``smtpd.h``,
``SMTP_LINE_MAX`` and ``LINE_MAX``); a longer line than this is none of smtpd's.
"""


class LineBuffer:
    """Cuts a byte stream at its line feeds; the bytes behind the last one wait for more.

    A line longer than ``limit`` bytes is dropped whole and counted in ``dropped``.
    """

    def __init__(self, limit: int = LINE_MAX) -> None:
        self.limit = limit
        self.dropped = 0
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def unfinished(self) -> bool:
        """True while a line waits for its end."""
        return self._size > 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take ``data`` and return the lines it completes, without their line feeds.

        Raises MemoryError, and then nothing was taken.
        """
        lines = data.split(b"\n")
        rest = lines.pop()
        if not (rest or self._size) and len(data) <= self.limit:
            return lines  # whole lines, as most often
        parts, size = self._parts, self._size
        if lines:
            first = size and size + len(lines[0])
            if first:
                lines[0] = b"".join([*parts, lines[0]])
                parts, size = [], 0
            if len(data) > self.limit or first > self.limit:
                lines = self._drop_long(lines, first)
        if rest:
            size += len(rest)
            if size > self.limit:  # only its length is remembered: memory stays bounded
                parts = []
            else:
                parts.append(rest)
        self._parts, self._size = parts, size
        return lines

    def _drop_long(self, lines: list[bytes], first: int) -> list[bytes]:
        # The first line may have lost its beginning already: its true length is in ``first``.
        kept = [line for line in lines[1:] if len(line) <= self.limit]
        if first <= self.limit and len(lines[0]) <= self.limit:
            kept.insert(0, lines[0])
        self.dropped += len(lines) - len(kept)
        return kept
