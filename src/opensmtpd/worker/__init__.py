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

from typing import TYPE_CHECKING, Any

from opensmtpd.worker.worker import Link, Worker

if TYPE_CHECKING:
    from opensmtpd.worker.loading import Loading
    from opensmtpd.worker.pool import Pool

__all__ = ["Link", "Loading", "Pool", "Worker"]


def __getattr__(name: str) -> Any:
    """Import what is for the front alone when it is asked for: a worker needs none of it."""
    if name == "Pool":
        from opensmtpd.worker.pool import Pool  # noqa: PLC0415  see above

        return Pool
    if name == "Loading":
        from opensmtpd.worker.loading import Loading  # noqa: PLC0415  see above

        return Loading
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
