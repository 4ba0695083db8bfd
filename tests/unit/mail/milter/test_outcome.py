"""Outcomes, as a worker sends them."""

import pytest

from opensmtpd.mail.milter.outcome import MailEdits, MilterFate, MilterOutcome
from opensmtpd.worker.frames import FrameBuffer, pack


@pytest.mark.parametrize(
    ("outcome", "plain"),
    [
        (MilterOutcome(MilterFate.GOES_ON), [0, 0, "", -1, True, False, []]),
        (MilterOutcome(MilterFate.GOES_ON, wanted=False), [0, 0, "", -1, False, False, []]),
        (
            MilterOutcome(MilterFate.REFUSED, 550, "5.7.1 No", 1),
            [1, 550, "5.7.1 No", 1, True, False, []],
        ),
        (MilterOutcome(MilterFate.GOES_ON, discarded=True), [0, 0, "", -1, True, True, []]),
        (
            MilterOutcome(MilterFate.FAILED, milter=0, lost=((0, "gone"), (2, "late"))),
            [2, 0, "", 0, True, False, [[0, "gone"], [2, "late"]]],
        ),
    ],
)
def test_there_and_back(outcome: MilterOutcome, plain: list[object]) -> None:
    assert outcome.plain() == plain
    assert MilterOutcome.of(plain) == outcome
    assert list(FrameBuffer().feed(pack(plain))) == [plain]


def test_edits_as_a_worker_sends_them() -> None:
    edits = MailEdits(
        [0, 2], [[1, b" new"]], [[3, b"X", b" y\n\tz"]], b"a\n\n", ["virus"], ["add recipient"]
    )
    (found,) = FrameBuffer().feed(pack(list(edits)))
    assert MailEdits(*found) == edits
    nothing = MailEdits([], [], [], None, [], [])
    (found,) = FrameBuffer().feed(pack(list(nothing)))
    assert MailEdits(*found) == nothing
