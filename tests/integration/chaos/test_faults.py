"""All faults of ``make chaos``, each for a moment: no mail is lost, and smtpd does not stop."""

from math import inf

import pytest

from lab.chaos import report
from lab.chaos.campaign import campaign
from lab.chaos.faults import FAULTS, Fault, Strikes
from lab.chaos.stand import Stand
from lab.shows.moves import smtpctl
from lab.support import ALONE, need_stage

pytestmark = ALONE
SECONDS, PACE = 0.5, 0.2


@pytest.mark.parametrize("smtpd", ["7.6", "7.9"])
def test_no_mail_is_lost(smtpd: str) -> None:
    rows = campaign(need_stage(smtpd), list(FAULTS.values()), SECONDS, pace=PACE)
    table = report.text(rows)
    print(table)
    whole = report.total(rows)
    assert (whole.lost, whole.twice, whole.unsigned, whole.unkept) == (0, 0, 0, 0), table
    assert whole.stops == 0, table
    assert (whole.told["refused"], whole.told["no answer"]) == (0, 0), table
    assert whole.whole < inf, table
    assert whole.once >= whole.told["accepted"] > len(FAULTS), table


@pytest.mark.parametrize("smtpd", ["7.6"])
def test_a_loss_is_seen(smtpd: str) -> None:
    """What counts is not blind: mail that is taken out of the queue is missing."""

    def steal(stand: Stand) -> Strikes:
        for _ in range(3):
            smtpctl(stand.guide, "pause", "mda")
            while not stand.ledger.outstanding:
                yield 0
            yield 0
            smtpctl(stand.guide, "remove", "all")
            smtpctl(stand.guide, "resume", "mda")
            yield 1

    rows = campaign(
        need_stage(smtpd), [Fault("theft", steal, 0.5, False)], 60.0, seed=1, patience=5.0
    )
    assert report.total(rows).lost > 0
