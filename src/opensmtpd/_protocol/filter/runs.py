"""Bytes from smtpd to runs, which are the data-lines of one message in one read, and other lines.

Each byte of each message passes here, so that the lines of a run are taken together, and only the
first one of a message is parsed. Where the memory ends, bytes wait, or lines are taken one by one.
All that is under way stands in attributes of Runs, which are set before, for that takes no memory:
whatever MemoryError escapes, the next call goes on at the line, or at the run, where it came.

smtpd sends the lines of its sessions in turn. A run is taken at the end of the read, or before
another line of its session: lines of one session keep their order, and no session knows of another.
"""

from collections import deque
from collections.abc import Callable, Iterator

from opensmtpd._protocol.dispatch import Log
from opensmtpd._protocol.filter.data_lines import Transfers
from opensmtpd._protocol.filter.message import Message
from opensmtpd._protocol.filter.session_state import SessionState
from opensmtpd._protocol.line_buffer import LineBuffer


class Runs:
    """Cuts bytes into runs, for ``transfers``, and other lines, with which ``line`` is called.

    ``line`` calls ``flush`` before it takes a line of a session. It returns False for the first
    line of a message, after it has called ``begin``: that line is to be taken with those that
    follow it. Where it raises MemoryError, ``again`` is called with the same line until it does
    not; it returns the same.
    """

    def __init__(
        self,
        transfers: Transfers,
        line: Callable[[bytes], bool],
        again: Callable[[bytes], bool],
        log: Log,
    ) -> None:
        self.waiting: deque[bytes] = deque()
        """Bytes from smtpd that are not cut into lines yet."""
        self._transfers = transfers
        self._line = line
        self._again = again
        self._log = log
        self._lines = LineBuffer()
        # The fast path: the place of session and token in a data-line, and the message they mean.
        self._key = slice(0, 0)
        self._text = slice(0, None)
        self._streams: dict[bytes, tuple[SessionState, Message]] = {}
        self._runs: dict[bytes, list[bytes]] = {}
        """The payloads of this read that are not taken yet, by the keys of their streams."""
        self._read: list[bytes] | None = None
        """The lines of a read that is under way."""
        self._left: Iterator[bytes] | None = None
        """Those of them that are not taken yet."""
        self._stuck: bytes | None = None
        """The line before those, where it could not be taken."""
        self._torn: tuple[SessionState, Message] | None = None
        """The message of the run that is being taken: its lines are lost if that fails."""
        self._torn_last = False
        """True where that run has the final dot."""

    def begin(self, raw: bytes, payload: int, state: SessionState, message: Message) -> None:
        """Know the lines of a message, from now on, by the bytes before their payload.

        ``raw`` is its first line, and ``payload`` the place of the payload there.
        """
        head = raw.index(b"|", raw.index(b"|", 7) + 1)
        # Both at once: where the memory ends, neither is another one.
        self._key, self._text = slice(head, payload), slice(payload, None)
        key = raw[self._key]
        state.streams[key] = message
        self._streams[key] = (state, message)

    def end(self, state: SessionState, message: Message | None = None) -> None:
        """Know the lines of a message of a session no more, or those of all its messages."""
        for key, mine in list(state.streams.items()):
            if message is None or mine is message:
                self._streams.pop(key, None)
                del state.streams[key]

    def flush(self, state: SessionState) -> None:
        """Take the runs of a session now: another line of it follows. Raises MemoryError."""
        self._lose()
        for key in list(state.streams):
            if key in self._runs:
                self._run(key)

    def feed(self) -> None:
        """Take the bytes that wait. Raises MemoryError, and then it is to be called again."""
        if self._read is not None:
            self._finish()
        while self.waiting:
            try:
                lines = self._lines.feed(self.waiting[0])
            except MemoryError:
                self._halve()
            else:
                # Neither takes memory: between the two, the bytes would be taken twice.
                self._read = lines
                self.waiting.popleft()
                self._take(lines)

    def _halve(self) -> None:
        """Cut the bytes that come next in two. Raises MemoryError, and then they are whole."""
        data = self.waiting[0]
        half = len(data) // 2
        if not half:
            raise MemoryError
        first, rest = data[:half], data[half:]
        self.waiting.appendleft(first)
        self.waiting[1] = rest

    def _take(self, lines: list[bytes]) -> None:
        """Take the lines of a read, those of one message together: the hot path.

        Of a data-line only the part from the direction to the token is compared, with the same
        part of a line that was parsed in full; no client's text can stand so early in any line.
        """
        if self._lines.dropped:
            self._log("line-ignored", reason="longer than any of smtpd's")
            self._lines.dropped = 0
        # Slices that are made once: with ``line[head:payload]`` each line would make two of them.
        runs, key, text = self._runs, self._key, self._text
        line: bytes | None = None
        self._left = left = iter(lines)
        try:
            for line in left:
                try:
                    runs[line[key]].append(line[text])
                    continue
                except KeyError:
                    pass
                self._take_first(line)  # not above: no failure of a handler comes of a KeyError
                key, text = self._key, self._text
        except MemoryError:
            self._stuck = line
        self._finish()

    def _finish(self) -> None:
        """Take the runs of the read that is under way, and the lines that are left, one by one.

        Lines are left only where there was too little memory to take many at a time. Raises
        MemoryError, and then it is to be called again.
        """
        self._lose()
        while self._runs:
            self._run(next(iter(self._runs)))
        if self._left is None:
            self._left = iter(self._read or ())
        if self._stuck is not None:
            self._take_alone(self._stuck)
        left = self._left
        for self._stuck in left:
            self._take_alone(self._stuck)
        self._read = self._left = None

    def _take_first(self, line: bytes) -> None:
        """Begin a run with a line, or have the line taken where no run may begin with it."""
        key = line[self._key]
        if key not in self._streams:
            if self._line(line):
                return
            key = line[self._key]
        state, _ = self._streams[key]
        if len(state.streams) > 1:  # lines of its other message go first: they came before
            self.flush(state)
        self._runs[key] = [line[self._text]]

    def _run(self, key: bytes) -> None:
        """Take lines of one message; refuse it where they are lost, for want of memory above all.

        Raises MemoryError, and then ``_lose`` is to be called again.
        """
        stream = self._streams[key]
        state, message = stream
        lines = self._runs.pop(key)
        last = lines[-1] == b"."
        if last:
            del self._streams[key], state.streams[key]
        self._torn, self._torn_last = stream, last
        try:
            self._transfers.receive(state, message, lines)
        except Exception as error:
            self._lose(error)  # what the failure kept is free by now
        self._torn = None

    def _lose(self, error: Exception | None = None) -> None:
        """Refuse the message of which a run could not be taken, if any.

        Raises MemoryError, and then it is to be called again.
        """
        torn = self._torn
        if torn is None:
            return
        self._torn = None  # whatever else is raised is a bug, and must not come again and again
        try:
            state, message = torn
            self._transfers.lose(state, message, error or MemoryError(), last=self._torn_last)
        except MemoryError:
            self._torn = torn
            raise

    def _take_alone(self, line: bytes) -> None:
        """Take a line where there is too little memory to take many at a time.

        Raises MemoryError, and then the line is stuck, or it is in its run.
        """
        self._stuck = None
        try:
            if self._again(line):
                return
            key = line[self._key]
            self._runs[key] = [line[self._text]]
        except MemoryError:
            self._stuck = line
            raise
        self._run(key)
