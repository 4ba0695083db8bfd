"""Bytes from smtpd to runs: the data-lines of one message that stand together, and other lines.

Each byte of each message passes here, so that the lines of a run are taken together, and only the
first one of a message is parsed. Where the memory ends, bytes wait, or lines are taken one by one.
"""

from collections import deque
from collections.abc import Callable
from itertools import groupby

from opensmtpd._protocol.dispatch import Log
from opensmtpd._protocol.filter.data_lines import Transfers
from opensmtpd._protocol.filter.message import Message
from opensmtpd._protocol.filter.session_state import SessionState
from opensmtpd._protocol.line_buffer import LineBuffer


class Runs:
    """Cuts bytes into runs, for ``transfers``, and other lines, with which ``line`` is called.

    ``line`` returns False for the first line of a message, after it has called ``begin``: it is to
    be taken with the lines that follow it.
    """

    def __init__(self, transfers: Transfers, line: Callable[[bytes], bool], log: Log) -> None:
        self.waiting: deque[bytes] = deque()
        """Bytes from smtpd that are not cut into lines yet."""
        self._transfers = transfers
        self._line = line
        self._log = log
        self._lines = LineBuffer()
        # The fast path: the place of session and token in a data-line, and the message they mean.
        self._head = self._payload = 0
        self._streams: dict[bytes, tuple[SessionState, Message]] = {}
        self._taken = 0
        """The lines of this read that have been taken."""

    def begin(self, raw: bytes, payload: int, state: SessionState, message: Message) -> None:
        """Know the lines of a message, from now on, by the bytes before their payload.

        ``raw`` is its first line, and ``payload`` the place of the payload there.
        """
        self._head = raw.index(b"|", raw.index(b"|", 7) + 1)
        self._payload = payload
        key = raw[self._head : payload]
        state.streams[key] = message
        self._streams[key] = (state, message)

    def end(self, state: SessionState, message: Message | None = None) -> None:
        """Know the lines of a message of a session no more, or those of all its messages."""
        for key, mine in list(state.streams.items()):
            if message is None or mine is message:
                self._streams.pop(key, None)
                del state.streams[key]

    def feed(self) -> None:
        """Take the bytes that wait, as far as memory goes."""
        while self.waiting:
            try:
                lines = self._lines.feed(self.waiting[0])
            except MemoryError:
                if not self._halved():
                    return
            else:
                self.waiting.popleft()
                self._take(lines)

    def _halved(self) -> bool:
        """Cut the bytes that come next in two; return whether that could be done."""
        half = len(self.waiting[0]) // 2
        try:
            first, rest = self.waiting[0][:half], self.waiting[0][half:]
            if first:
                self.waiting.appendleft(first)
                self.waiting[1] = rest
        except MemoryError:
            return False
        return half > 0

    def _take(self, lines: list[bytes]) -> None:
        if self._lines.dropped:
            self._log("line-ignored", reason="longer than any of smtpd's")
            self._lines.dropped = 0
        while lines:
            self._taken = 0
            try:
                lines = self._many(lines) if self._streams else self._until_message(lines)
            except MemoryError:
                self._one_by_one(lines[self._taken :])
                return

    def _until_message(self, lines: list[bytes]) -> list[bytes]:
        """Take lines up to the first one of a message; return it and those behind it."""
        for at, line in enumerate(lines):
            self._taken = at + 1
            if not self._line(line):
                self._taken = at
                return lines[at:]
        return []

    def _many(self, lines: list[bytes]) -> list[bytes]:
        """Take lines, those of one message together: the hot path.

        Of a data-line only the part from the direction to the token is compared, with the same
        part of a line that was parsed in full; no client's text can stand so early in any line.
        Returns the lines that are left when a line turns up that has its parts elsewhere.
        """
        head, payload = self._head, self._payload
        at = 0
        for key, group in groupby([line[head:payload] for line in lines]):
            end = at + len(list(group))
            while at < end:
                if key in self._streams:
                    run = lines[at:end]
                    self._taken = at = end
                    self._run(key, run)
                    continue
                self._taken = at + 1
                at += self._line(lines[at])
                self._taken = at
                if head != self._head or payload != self._payload:
                    return lines[at:]
        return []

    def _run(self, key: bytes, lines: list[bytes]) -> None:
        """Take lines of one message; refuse it where they are lost, for want of memory above all.

        Raises nothing: the lines of other messages must follow.
        """
        payload = self._payload
        state, message = self._streams[key]
        last = len(lines[-1]) == payload + 1 and lines[-1].endswith(b".")
        if last:
            del self._streams[key], state.streams[key]
        try:
            self._transfers.receive(state, message, [line[payload:] for line in lines])
        except Exception as error:
            self._transfers.lose(state, message, error, last=last)

    def _one_by_one(self, lines: list[bytes]) -> None:
        """Take lines where there is too little memory to take many at a time."""
        for line in lines:
            if not self._line(line):
                self._run(line[self._head : self._payload], [line])
