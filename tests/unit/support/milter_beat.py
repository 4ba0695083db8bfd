"""filter-milter's worker with a short beat, for milters that take longer than that."""

from opensmtpd.mail.milter.process import worker
from opensmtpd.mail.milter.process.worker import MilterWorker

BEAT = 0.02


class HastyMilterWorker(MilterWorker):
    """Tells the front after a short time that it is at work."""

    def load(self, setup: object) -> None:
        super().load(setup)
        worker.BEAT = BEAT
