"""What models of a runner have in common."""

from typing import Any

from opensmtpd.runner import Served
from opensmtpd.work import Work


def go_on(protocol: Served, works: list[Work], work: Any) -> None:
    """Let a work go one step further, and tell of its end; it is none of ``works`` then."""
    try:
        if not callable(work.job):
            work.job.send(None)
            return
        result = work.job()
    except StopIteration as end:
        result = end.value
    except BaseException as error:
        works.remove(work)
        protocol.fail(work, error)
        return
    works.remove(work)
    protocol.resolve(work, result)
