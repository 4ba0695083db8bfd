"""The test kit waits for the replies of workers."""

import pytest

from opensmtpd.answer import Answer
from opensmtpd.errors import WorkerError
from opensmtpd.filter import PROCEED, Filter, Helo, ParameterDecision, Reject, Session
from opensmtpd.testing import run_message, served
from opensmtpd.worker import Pool
from unit.support.workers import ECHO


class Plain(Filter):
    def __init__(self) -> None:
        self.pool = Pool(ECHO, None, deadline=5)
        self.asked = "pid"

    def stop(self) -> None:
        self.pool.close()

    def on_helo(self, session: Session, request: Helo) -> Answer[ParameterDecision]:
        return self.pool.ask(self.asked).then(self.judge)

    def judge(self, pid: object) -> ParameterDecision:
        return PROCEED if isinstance(pid, int) else Reject(550, "no")


class Awaits(Plain):
    async def on_helo(self, session: Session, request: Helo) -> ParameterDecision:
        return self.judge(await self.pool.ask(self.asked))


@pytest.mark.parametrize("kind", [Plain, Awaits])
def test_a_filter_with_workers(kind: type[Plain]) -> None:
    with served(kind()) as filter:
        assert run_message(filter).accepted
        filter.asked = "setup"
        assert not run_message(filter).accepted
        filter.asked = "raise"
        with pytest.raises(WorkerError, match="ValueError"):
            run_message(filter)
