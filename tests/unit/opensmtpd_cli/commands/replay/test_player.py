"""What the player does with the time between lines; the rest is tested with the command."""

import time

import pytest

from opensmtpd.capture.format import CaptureKind
from opensmtpd.capture.play import Play, SkippedKeys
from opensmtpd_cli.commands.replay.player import Player
from unit.support.captures import said, talk


class Listener:
    """Stands for a program that shakes hands and answers nothing; its clock goes by waiting."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.taken: list[tuple[float, bytes]] = []

    def swap(self, data: memoryview, deadline: float) -> tuple[int, bytes]:
        if not data:
            self.clock[0] = max(self.clock[0], deadline)
            raise TimeoutError
        self.taken.append((self.clock[0], bytes(data)))
        return len(data), b"register|filter|smtp-in|ehlo\nregister|ready\n"


@pytest.mark.parametrize(("in_time", "moments"), [(True, [100.0, 102.0]), (False, [100.0, 100.0])])
def test_the_time_between_lines(
    monkeypatch: pytest.MonkeyPatch, in_time: bool, moments: list[float]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    entries = said(CaptureKind.FILTER, talk(
        "< config|ready", "> register|ready", "< filter|0.7|1|smtp-in|ehlo|s|t|x"))  # fmt: skip
    play = Play(CaptureKind.FILTER, entries, SkippedKeys(frozenset(), 0))
    listener = Listener(clock)
    Player(listener, play, in_time=in_time, timeout=5.0).run()  # type: ignore[arg-type]
    assert [moment for moment, _ in listener.taken] == moments
    assert listener.taken[1][1] == b"filter|0.7|1|smtp-in|ehlo|s|t|x\n"
