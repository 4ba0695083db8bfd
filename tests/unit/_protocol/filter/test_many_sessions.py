"""The work for one session does not grow with the number of others."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from opensmtpd.answer import Offload
from opensmtpd.filter import PROCEED, Filter, HeldMessage, Session
from unit.support.talk import Talk, data, report, request
from unit.support.traced import steps


class Slow(Filter):
    """Holds messages, and leaves a job for each HELO."""

    def on_message(self, session: Session) -> HeldMessage:
        return HeldMessage()

    def on_helo(self, session: Session, request: object) -> Any:
        return Offload(lambda: PROCEED)


def begun(talk: Talk, session: bytes) -> None:
    """Have a session with a message under way, and with a job."""
    talk.say(
        request(b"ehlo", b"client.example", session=session, token=session),
        data(b"From: a@b", b"", b"x", session=session),
    )
    talk.protocol.dispatcher.take_jobs()


@pytest.mark.parametrize(
    "end",
    [
        lambda session: report(b"tx-reset", b"x", session=session),
        lambda session: report(b"link-disconnect", session=session),
        lambda session: data(b"y", b".", session=session),
        lambda session: data(b".", session=session),
    ],
    ids=["tx-reset", "link-disconnect", "lines", "dot"],
)
def test_a_session_costs_the_same_among_few_and_many(end: Callable[[bytes], bytes]) -> None:
    costs = []
    for others in (2, 400):
        talk = Talk(Slow())
        for number in range(others):
            begun(talk, b"%016x" % (number + 1))
        mine = b"%016x" % (others // 2)
        costs.append(steps(partial(talk.say, end(mine))))
    assert costs[1] < 2 * costs[0]


def test_the_jobs_of_a_session_that_is_gone_are_cancelled_and_no_others() -> None:
    talk = Talk(Slow())
    mine, other = b"%016x" % 1, b"%016x" % 2
    jobs = []
    for session in (mine, other):
        talk.say(request(b"ehlo", b"c", session=session, token=session))
        jobs.append(talk.job())
    talk.say(report(b"link-disconnect", session=mine))
    assert [job.cancelled for job in jobs] == [True, False]
    assert talk.finish(jobs[0]) == b""
    assert talk.finish(jobs[1]) == b"filter-result|%s|%s|proceed\n" % (other, other)
