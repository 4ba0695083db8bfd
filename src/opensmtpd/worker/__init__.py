"""Worker processes behind the process that smtpd talks to: what can crash, hang or leak is there.

::

    class Hash(worker.Worker):
        title = "hash"

        def handle(self, request: bytes) -> bytes:
            return slow_hash(request)


    class Some(Filter):
        def __init__(self) -> None:
            self.pool = worker.Pool(Hash)

        def on_helo(self, helo: Helo) -> Deferred[ParameterDecision]:
            return self.pool.ask(helo.identity).then(lambda digest: PROCEED)
"""

from opensmtpd.worker.loading import Loading
from opensmtpd.worker.pool import Pool
from opensmtpd.worker.worker import Link, Worker

__all__ = ["Link", "Loading", "Pool", "Worker"]
