"""Plays a capture to a program that runs, and compares its answers."""

import time

from opensmtpd.capture.comparison import Comparison
from opensmtpd.capture.lines import WholeLines
from opensmtpd.capture.play import Play
from opensmtpd_cli.plugin.talk import Talk

_LAST = 0.2
"""Seconds in which an answer that was not recorded would come at the end."""


class Player:
    """Sends what was recorded when the answers recorded before have come, or at its time, too."""

    def __init__(self, talk: Talk, play: Play, *, in_time: bool, timeout: float) -> None:
        self._talk = talk
        self._play = play
        self._comparison: Comparison = play.comparison
        self._in_time = in_time
        self._timeout = timeout
        self._lines = WholeLines()

    def run(self) -> None:
        """Play up to the end, or to the first difference.

        Raises EOFError if the program ends before, TimeoutError if it does not shake hands.
        """
        begun: float | None = None
        for step in self._play.steps():
            self._settle()
            if self._comparison.difference:
                return
            if begun is None:
                begun = time.monotonic() - step.time
            if self._in_time:
                self._rest(begun + step.time)
            self._send(step.data)
            if b"config|ready\n" in step.data:
                self._shake_hands()
        self._settle()
        self._rest(time.monotonic() + _LAST)
        self._play.finish()

    def _settle(self) -> None:
        """Wait for the answers that were recorded so far; the last one to come may be missing."""
        until = time.monotonic() + self._timeout
        while self._comparison.waiting:
            equal = self._comparison.equal
            try:
                self._swap(memoryview(b""), until)
            except TimeoutError:
                self._comparison.missing()
            if self._comparison.equal > equal:
                until = time.monotonic() + self._timeout

    def _shake_hands(self) -> None:
        until = time.monotonic() + self._timeout
        while not self._comparison.ready:
            self._swap(memoryview(b""), until)

    def _rest(self, until: float) -> None:
        """Let time go by, and listen."""
        try:
            while self._comparison.difference is None:
                self._swap(memoryview(b""), until)
        except TimeoutError:
            return

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        until = time.monotonic() + self._timeout
        while left:
            taken = self._swap(left, until)
            left = left[taken:]
            if taken:
                until = time.monotonic() + self._timeout

    def _swap(self, data: memoryview, until: float) -> int:
        """Have some of ``data`` taken, and take answers. Raises EOFError, TimeoutError."""
        taken, said = self._talk.swap(data, until)
        if lines := self._lines.feed(said):
            for line in lines[:-1].split(b"\n"):
                self._comparison.given(line)
        return taken
