"""A capture of a real server, played to a filter or a table of a test."""

import os
from typing import NamedTuple

from opensmtpd.capture.lines import WholeLines
from opensmtpd.capture.play import Play, skipped
from opensmtpd.capture.reader import CaptureReader
from opensmtpd.filter import Filter
from opensmtpd.table import Table
from opensmtpd.testing.connection import filter_connection, table_connection
from opensmtpd.testing.driver import Driver


class CaptureReplay(NamedTuple):
    """The answers of a plugin beside those of a capture. Lines are without their line feeds."""

    requests: int
    """Requests that the plugin was sent; a message is one."""
    equal: int
    """Answers that are those of the capture, before the first difference."""
    skipped: int
    """Requests that were not sent, because something was taken out of them or of their answers."""
    recorded: bytes | None
    """The answer that was recorded where there is a difference; None for none."""
    given: bytes | None
    """The answer in its place; None for none."""
    damage: str
    """The fault behind which the capture could not be read; ``""`` for none."""

    @property
    def same(self) -> bool:
        """True where all answers are those of the capture."""
        return self.recorded is None and self.given is None


def replay_capture(path: str | os.PathLike[str], plugin: Filter | Table) -> CaptureReplay:
    """Play a capture of filter-record or table-record to a plugin, and compare its answers.

    ::

        played = replay_capture("dkimsign.capture", make_filter())
        assert played.same, (played.recorded, played.given)

    Time goes by as it was recorded, for the plugin; nothing waits. Answers to different requests
    may come in another order. Raises ConfigError for what is no capture, and what
    ``filter_connection`` and ``table_connection`` raise.
    """
    reader = CaptureReader(os.fspath(path))
    kind = reader.header.kind
    skip = skipped(kind, reader)
    play = Play(kind, reader, skip, reader.first)
    connection = (
        filter_connection(plugin) if isinstance(plugin, Filter) else table_connection(plugin)
    )
    lines = WholeLines()

    def given(data: bytes) -> None:
        whole = lines.feed(data)
        for line in whole[:-1].split(b"\n") if whole else ():
            play.comparison.given(line)

    begun: float | None = None
    with Driver(connection, given) as driver:
        for step in play.steps():
            begun = step.time if begun is None else begun
            driver.now = max(step.time - begun, driver.now)
            driver.feed(step.data)
    play.finish()
    recorded, other = play.comparison.difference or (None, None)
    return CaptureReplay(
        play.sent, play.comparison.equal, len(skip.requests), recorded, other, reader.damage
    )
